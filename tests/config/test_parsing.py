"""From text to configuration: every value as the contract says, every fault at once."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.config import Config, Secret, parse
from invoice_watcher.errors import ConfigError

BASE = Path("/etc/invoice-watcher")
GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
NAMES = sorted(re.findall(r"^ *([a-z_]+):", EXAMPLE.read_text(), re.MULTILINE))


def config(text: str) -> Config:
    """Return the configuration of `text` with a drop folder."""
    return parse("drop_dir: /srv/invoices\n" + text, where="c.yaml", base=BASE)


def faults(text: str) -> list[str]:
    """Return the faults of `text`, whose first line is line 2."""
    with pytest.raises(ConfigError) as caught:
        config(text)
    return [str(fault) for fault in caught.value.faults]


def at(dotted: str, value: str) -> str:
    """Return YAML that sets one dotted key."""
    group, _, key = dotted.rpartition(".")
    return f"{group}: {{{key}: {value}}}" if group else f"{key}: {value}"


def value(settings: Config, dotted: str) -> object:
    """Return what stands behind a dotted key."""
    found: Any = settings
    for name in dotted.split("."):
        found = getattr(found, name)
    return found


def test_one_line_is_a_whole_configuration() -> None:
    """Only drop_dir must be given; all else has the documented default."""
    whole = config("")
    assert whole == Config(drop_dir=Path("/srv/invoices"))
    assert (whole.done_dir, whole.failed_dir, whole.work_dir) == tuple(
        Path("/srv/invoices") / name for name in ("done", "failed", ".processing")
    )
    assert (whole.max_size, whole.receipts, whole.status_page, whole.ignore) == (
        10485760,
        True,
        "status.html",
        (),
    )
    assert (whole.done_layout, whole.status_language) == ("flat", "en")
    assert (whole.api.environment, whole.api.base_url) == ("production", "https://i.materialise.com/web-api")
    assert (whole.api.workers, whole.api.connect_timeout, whole.api.read_timeout, whole.api.deadline) == (
        4,
        10,
        30,
        120,
    )
    assert (whole.settle.quiet, whole.settle.incomplete_after, whole.settle.mode) == (1, 60, "auto")
    assert (whole.retry.initial, whole.retry.max, whole.retry.max_attempts) == (2, 300, 10)
    assert (whole.log.level, whole.log.format, whole.notify.every) == ("info", "auto", 900)


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("done_dir", "ok", Path("/srv/invoices/ok")),
        ("done_dir", "/srv/sent", Path("/srv/sent")),
        ("done_dir", "2024", Path("/srv/invoices/2024")),
        ("failed_dir", "007", Path("/srv/invoices/007")),
        ("order_id_pattern", "'(?P<order_id>[0-9]+)-.*'", re.compile(r"(?P<order_id>[0-9]+)-.*")),
        ("ignore", "['*.bak', 123]", ("*.bak", "123")),
        ("ignore", "null", ()),
        ("max_size", "1MB", 1_000_000),
        ("max_size", "'5MiB'", 5 * 2**20),
        ("receipts", "no", False),
        ("receipts", "On", True),
        ("status_page", "null", None),
        ("status_page", "", None),
        ("status_page", "stand.html", "stand.html"),
        ("status_language", "de", "de"),
        ("status_language", "'en'", "en"),
        ("done_layout", "month", "month"),
        ("done_layout", "flat", "flat"),
        ("api", "null", Config(drop_dir=Path("/x")).api),
        ("api.environment", "sandbox", "sandbox"),
        ("api.base_url", "https://proxy.example/web-api/", "https://proxy.example/web-api"),
        ("api.base_url", "http://localhost:8080", "http://localhost:8080"),
        ("api.base_url", "'http://[::1]:8080/x'", "http://[::1]:8080/x"),
        ("api.base_url", "http://127.9.9.9", "http://127.9.9.9"),
        ("api.base_url", "https://xn--bro-hoa.example.:443/x", "https://xn--bro-hoa.example.:443/x"),
        ("api.base_url", "null", "https://i.materialise.com/web-api"),
        ("api.api_code_file", "api-code", BASE / "api-code"),
        ("api.api_code", GUID, Secret(GUID)),
        ("api.workers", "64", 64),
        ("api.deadline", "90", 90.0),
        ("api.proxy", "http://user:word@proxy.example:3128", "http://user:word@proxy.example:3128"),
        ("api.ca_bundle", "/etc/ssl/ours.pem", Path("/etc/ssl/ours.pem")),
        ("settle.quiet", "0", 0.0),
        ("settle.quiet", "500ms", 0.5),
        ("settle.rescan", "2m", 120.0),
        ("settle.mode", "polling", "polling"),
        ("retry.max", "1h", 3600.0),
        ("log.level", "'debug'", "debug"),
        ("metrics.listen", "':9187'", ":9187"),
        ("metrics.listen", "'[::1]:9187'", "[::1]:9187"),
        ("metrics.textfile", "/var/lib/x.prom", Path("/var/lib/x.prom")),
        ("notify.urls", "['mailto://a:b@example.org']", ("mailto://a:b@example.org",)),
    ],
)
def test_a_value_means_what_the_documentation_says(key: str, text: str, expected: object) -> None:
    """Each key takes its documented ways of writing, and the program sees one typed value."""
    assert value(config(at(key, text)), key) == expected


def test_the_sandbox_brings_its_own_address() -> None:
    """Whoever chooses the sandbox need not know its address."""
    assert config("api: {environment: sandbox}").api.base_url == "https://imatsandbox.materialise.net/web-api"


def test_a_relative_drop_folder_lies_beside_the_configuration() -> None:
    """A configuration can be moved with its folders."""
    assert parse("drop_dir: in", where="c.yaml", base=BASE).done_dir == BASE / "in" / "done"


def test_the_rescan_is_30_seconds_and_5_when_polling_unless_it_is_set() -> None:
    """Polling looks more often, for it has no hints; who sets rescan gets that in both modes."""
    default, given_ = config("").settle, config("settle: {rescan: 30s}").settle
    assert (default.rescan_for(polling=False), default.rescan_for(polling=True)) == (30.0, 5.0)
    assert (given_.rescan_for(polling=False), given_.rescan_for(polling=True)) == (30.0, 30.0)


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("done_dir", "null", "must not be null"),
        ("done_dir", "''", "is empty"),
        ("done_dir", "yes", "truth value"),
        ("done_dir", "[a]", "single value"),
        ("done_dir", "{a: b}", "single value"),
        ("done_dir", "*x", "alias"),
        ("done_dir", '"a\\0b"', "control character"),
        ("done_dir", "~/done", "home folder"),
        ("done_dir", "x" * 256, "over 255 bytes"),
        ("order_id_pattern", "'(['", "regular expression"),
        ("order_id_pattern", "'[[a]'", "regular expression"),
        ("order_id_pattern", "'a{99999999999}'", "regular expression"),
        ("order_id_pattern", "'" + "(" * 3000 + "'", "regular expression"),
        ("ignore", "'*.bak'", "must be a list"),
        ("ignore", "[null]", "must not be null"),
        ("ignore", "['a/b']", "no slash"),
        ("ignore", "['*']", "every file"),
        ("max_size", "0", "1 to 100MiB"),
        ("max_size", "101MiB", "1 to 100MiB"),
        ("max_size", "1e6", "is no size"),
        ("receipts", "'true'", "without quotes"),
        ("receipts", "1", "truth value"),
        ("status_page", "a/b.html", "without a folder"),
        ("status_page", "..", "without a folder"),
        ("status_page", "no", "truth value"),
        ("status_page", "done", "same name"),
        ("status_language", "DE", "did you mean de?"),
        ("status_language", "klingon", "none of"),
        ("status_language", "null", "must not be null"),
        ("done_layout", "months", "did you mean month?"),
        ("done_layout", "yes", "truth value"),
        ("done_layout", "null", "must not be null"),
        ("api.environment", "Sandbox", "did you mean sandbox?"),
        ("api.base_url", "http://example.org", "https://"),
        ("api.base_url", "http://localhost.example.org", "https://"),
        ("api.base_url", "ftp://example.org", "https://"),
        ("api.base_url", "'https://'", "no host"),
        ("api.base_url", "'https:///path'", "no host"),
        ("api.base_url", "https://user:hunter2@example.org", "password"),
        ("api.base_url", "'https://example.org/?hunter2'", "query"),
        ("api.base_url", "https://example.org:hunter2/", "malformed"),
        ("api.base_url", "https://example.org:99999/", "malformed"),
        ("api.base_url", "'https://[::1'", "malformed"),
        ("api.base_url", "https://exam ple.org/", "blank"),
        ("api.base_url", "https://*.example.com", "host"),
        ("api.base_url", "https://.example.com", "host"),
        ("api.base_url", "https://example..com", "host"),
        ("api.base_url", "https://exam%41ple.com", "host"),
        ("api.base_url", "https://☃.example.com", "xn--"),
        ("api.base_url", "https://straße.example", "xn--"),
        ("api.base_url", "https://" + "x" * 64 + ".example", "host"),
        ("api.base_url", "'https://[fe80::1%25eth0]'", "host"),
        ("api.base_url", "'http://[::1]a'", "host"),
        ("api.base_url", "'https://[v1.a]'", "malformed"),
        ("api.api_code", "hunter2", "GUID"),
        ("api.workers", "0", "1 to 64"),
        ("api.workers", "65", "1 to 64"),
        ("api.workers", "-1", "1 to 64"),
        ("api.workers", "'4'", "without quotes"),
        ("api.workers", "4.0", "whole number"),
        ("api.workers", "04", "whole number"),
        ("api.workers", "1_0", "whole number"),
        ("api.workers", "0x1F", "whole number"),
        ("api.workers", "1e1", "whole number"),
        ("api.workers", "12:30", "whole number"),
        ("api.workers", ".nan", "whole number"),
        ("api.workers", "true", "whole number"),
        ("api.workers", "9" * 5000, "whole number"),
        ("api.deadline", "0", "more than 0"),
        ("api.deadline", "-5", "negative"),
        ("api.deadline", "12:30", "no duration"),
        ("api.deadline", "169h", "a week"),
        ("api.deadline", "yes", "truth value"),
        ("api.proxy", "proxy.example:3128 hunter2", "http://HOST:PORT"),
        ("api.proxy", "socks5://user:hunter2@proxy", "http://HOST:PORT"),
        ("api.proxy", "http://user:hunter2@proxy/path", "no path"),
        ("api.proxy", "http://user:hunter2@*.example.com:3128", "host"),
        ("api.proxy", "http://user:hunter2@büro.example:3128", "xn--"),
        ("api.proxy", "'http://user:hunter2@[::1]a:3128'", "host"),
        ("api.proxy", "http://user:hunter2%D0%BF@proxy:3128", "Latin-1"),
        ("settle.mode", "inotify", "none of auto, native, polling"),
        ("retry.max_attempts", "0", "1 to 1000"),
        ("log", "debug", "level, format"),
        ("log", "[debug]", "level, format"),
        ("log", "*x", "alias"),
        ("metrics.listen", "9187", "HOST:PORT"),
        ("metrics.listen", "':70000'", "65535"),
        ("notify.urls", "[hunter2]", "no address"),
        ("notify.urls", "[[hunter2]]", "single value"),
        ("notify.urls", "[!x hunter2]", "tag"),
        ("notify.urls", "&x [hunter2]", "anchor"),
        ("notify.urls", "[null]", "must not be null"),
    ],
)
def test_an_impossible_value_is_refused_with_line_key_and_reason(key: str, text: str, why: str) -> None:
    """One sentence says which line and key, and what would be right; a secret is never in it."""
    (fault,) = faults("\n" + at(key, text))
    assert fault.startswith(f"c.yaml:3: {key}: ")
    assert why in fault
    assert "hunter2" not in fault
    assert len(fault) < 250


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("done-dir: x", "done-dir: unknown key; did you mean done_dir?"),
        ("setle: x", "setle: unknown key; did you mean settle?"),
        ("api: {worker: 3}", "api.worker: unknown key; did you mean workers?"),
        ("workers: 3", "workers: unknown key; did you mean workers, indented under api?"),
        ("api.workers: 3", "api.workers: unknown key; did you mean workers, indented under api?"),
        (
            "api: {receipts: no}",
            "api.receipts: unknown key; did you mean to put it at the top, without indentation?",
        ),
        ("quite_unlike: x", "quite_unlike: unknown key"),
        ("read-timeout: 3", "read-timeout: unknown key; did you mean read_timeout, indented under api?"),
        ("<<: {a: b}", "has a merge key (<<); write the keys out"),
        ("api: {<<: {a: b}}", "api: has a merge key (<<); write the keys out"),
        ("? [a]\n: 1", "has a key that is no single word"),
        ("api: {? [a] : 1}", "api: has a key that is no single word"),
        (f"api: {{{GUID}}}", "api: has an unknown key (not shown, for it looks like a value)"),
        ("done_dir: a\ndone_dir: b", "done_dir: is given twice, first in line 2; only one can be meant"),
        (
            "api: {workers: 3, workers: 4}",
            "api.workers: is given twice, first in line 2; only one can be meant",
        ),
    ],
)
def test_a_key_that_is_unknown_or_repeated_is_told(text: str, expected: str) -> None:
    """A typing error in a key is never passed over, and the key that was meant is named if it can be."""
    (fault,) = faults(text)
    assert fault == f"c.yaml:{2 + text.startswith('done_dir')}: {expected}"


def test_all_faults_are_told_at_once_and_in_the_order_of_their_lines() -> None:
    """The administrator mends the file in one go, not one restart for each fault."""
    text = "api:\n  workers: 0\n  wrokers: 1\n  workers: 2\nretry: 3\nmax_size: x\nignore:\n- a/b\n- '*'\nlog: x"
    found = faults(text)
    assert [fault.split(": ")[0] for fault in found] == [f"c.yaml:{line}" for line in (3, 4, 5, 6, 7, 9, 10, 11)]


def test_a_missing_drop_folder_is_told_beside_the_other_faults() -> None:
    """The one required key has no line when it is missing, and does not hide what else is wrong."""
    with pytest.raises(ConfigError) as caught:
        parse("done_dir: a\nfailed_dir: a\nworkers: 1\n", where="c.yaml", base=BASE)
    assert caught.value.faults[0].text == "is missing; name the folder where invoices are dropped"
    assert [fault[:2] for fault in caught.value.faults] == [
        ("c.yaml", "drop_dir"),
        ("c.yaml:2", "failed_dir"),
        ("c.yaml:3", "workers"),
    ]


def test_a_file_without_anything_is_told_by_its_name() -> None:
    """What is no configuration at all is said of the file that was given."""
    with pytest.raises(ConfigError) as caught:
        parse("", where="c.yaml", base=BASE)
    assert [str(fault) for fault in caught.value.faults] == [
        "c.yaml: is empty; copy config.example.yaml and set drop_dir"
    ]


def test_a_bad_drop_folder_is_one_fault() -> None:
    """A drop folder that is given and wrong is not called missing as well."""
    with pytest.raises(ConfigError) as caught:
        parse("drop_dir: null", where="c.yaml", base=BASE)
    assert [fault[:2] for fault in caught.value.faults] == [("c.yaml:1", "drop_dir")]


def test_a_value_shown_is_escaped_and_short() -> None:
    """A pasted novel or a control sequence cannot flood or garble the terminal."""
    (fault,) = faults('log: {level: "\u202e' + "x" * 5000 + '"}')
    assert "\\u202e" in fault
    assert "\u202e" not in fault
    assert len(fault) < 150


SECRET = "hunter2hunter2"  # noqa: S105 - stands for a secret, to be looked for


@pytest.mark.parametrize("key", ["api.api_code", "api.proxy", "notify.urls"])
@pytest.mark.parametrize(
    "form",
    ["{}", "[{}]", "{{{}: 1}}", "'{}\\n{}'", '"{}\\n"', "&a {}", "!t {}", "{}: x", "{} #", "http://{}@"],
)
def test_no_fault_shows_a_secret(key: str, form: str) -> None:
    """However a secret is mistyped, neither the message nor the traceback holds it."""
    group, _, name = key.rpartition(".")
    for separator in (": ", ":", " "):
        _check_hidden(f"{group}:\n  {name}{separator}{form.replace('{}', SECRET)}\n  x: 1")


def _check_hidden(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(text)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value.faults)


@pytest.mark.parametrize("slip", ["{}", "x{}", "{}y", "{}'", "(?P<order_id>{}", '"{}"', "/srv/{}", "http://{}", "~{}"])
@pytest.mark.parametrize("code", [GUID, GUID.upper(), GUID[:-3], GUID[3:], GUID.replace("-", "")])
def test_no_fault_shows_an_api_code_that_slipped(slip: str, code: str) -> None:
    """Under whichever key it was pasted, whole or cut off: a terminal, a log and a ticket are read by many."""
    for name in {*NAMES, "api_kode", f"api_code_{code}"[:30], code}:
        for text in (f"{name}: {slip.format(code)}", f"api:\n  {name}: {slip.format(code)}"):
            assert code[:8] not in (told := _told(text)), text
            assert code[-8:] not in told, text


def _told(text: str) -> str:
    try:
        parse(text, where="c.yaml", base=BASE)
    except ConfigError as error:
        return str(error)
    return ""


def test_a_path_that_is_an_api_code_is_refused() -> None:
    """The code in place of the file that holds it is the likeliest slip; opening it would show it as a path."""
    (fault,) = faults(f"api: {{api_code_file: {GUID}}}")
    assert fault == "c.yaml:2: api.api_code_file: must be a path, and looks like an API code (it is not shown here)"


def test_a_configuration_that_is_printed_hides_its_secrets() -> None:
    """A debug line or a crash report with the whole configuration gives nothing away."""
    text = f"api: {{api_code: {GUID}, proxy: 'http://u:{SECRET}@p'}}\nnotify: {{urls: ['mailto://u:{SECRET}@m']}}"
    shown = repr(config(text)) + str(list(config(text).api.__rich_repr__()))
    assert SECRET not in shown
    assert GUID not in shown
    assert shown.count("***") == 5


def test_what_is_hidden_when_printed_is_known_to_the_log() -> None:
    """All that may hold a password, a token or the API code is on the list of what no log line may show."""
    proxy, mail, chat = f"http://u:{SECRET}@p:3128", f"mailto://u:{SECRET}@m", f"slack://{SECRET}"
    text = f"api: {{api_code: {GUID}, proxy: '{proxy}'}}\nnotify: {{urls: ['{mail}', '{chat}']}}"
    assert sorted(config(text).secrets()) == sorted([GUID, proxy, mail, chat])
    assert list(config("").secrets()) == []


scalars = st.one_of(st.text(max_size=12), st.integers(), st.floats(), st.booleans(), st.none())
trees = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(scalars, inner, max_size=3))
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(NAMES), st.one_of(trees, st.dictionaries(st.sampled_from(NAMES), trees))))
def test_any_tree_of_values_is_a_configuration_or_a_list_of_faults(tree: object) -> None:
    """Whatever stands behind the known keys, the answer is a configuration or its faults, never a crash."""
    _parse_or_refuse(yaml.safe_dump(tree))


@given(st.text())
def test_any_text_is_a_configuration_or_a_list_of_faults(text: str) -> None:
    """Any text at all is answered with its faults, never with a crash."""
    _parse_or_refuse(text)


@given(st.data())
def test_a_damaged_example_is_a_configuration_or_a_list_of_faults(data: st.DataObject) -> None:
    """A cut, a slip or a stray character in a real file is answered with its faults, never with a crash."""
    text = EXAMPLE.read_text()
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 20))
        stray = data.draw(st.sampled_from(["", ":", "'", '"', "\n", "  ", "[", "{", "&a ", "*a", "!", "\t", "-1", "é"]))
        text = text[:start] + stray + text[start + cut :]
    _parse_or_refuse(text)


def _parse_or_refuse(text: str) -> None:
    try:
        found = parse(text, where="c.yaml", base=BASE)
    except ConfigError as error:
        lines = [int(fault.where.partition(":")[2] or 0) for fault in error.faults]
    else:
        lines = [1] * found.drop_dir.is_absolute()
    assert lines
    assert lines == sorted(lines)
