"""Values that are each possible and cannot go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from invoice_watcher.config import parse
from invoice_watcher.errors import ConfigError, ConfigFault


def faults(text: str) -> tuple[ConfigFault, ...]:
    """Return the faults of a configuration whose drop folder is /srv/in."""
    try:
        parse(f"drop_dir: /srv/in\n{text}", where="c.yaml", base=Path("/etc"))
    except ConfigError as error:
        return tuple(error.faults)
    return ()


def blamed(text: str) -> list[str]:
    """Return the keys that are blamed in it."""
    return [fault.key for fault in faults(text)]


@pytest.mark.parametrize(("text", "sentence"), [
    ("work_dir: .", "work_dir is the same folder as drop_dir"),
    ("done_dir: /srv", "done_dir must not hold drop_dir; it may lie in it, or beside it"),
    ("failed_dir: done", "done_dir and failed_dir are the same folder"),
    ("done_dir: x\nfailed_dir: x", "done_dir and failed_dir are the same folder"),
    ("failed_dir: done/x", "done_dir and failed_dir must not lie in one another"),
    ("done_dir: failed/x", "done_dir and failed_dir must not lie in one another"),
    ("api: {ca_bundle: /srv/in/ca.pem}", "api.ca_bundle lies in drop_dir, where it would be taken for an invoice"),
    ("status_page: failed", "status_page and failed_dir have the same name"),
    ("settle: {quiet: 2m, incomplete_after: 1m}",
     "settle.quiet must not be longer than settle.incomplete_after (1m)"),
    ("retry: {max: 5m, initial: 10m}", "retry.initial must not be longer than retry.max (5m)"),
    ("api: {base_url: 'http://localhost', proxy: 'http://proxy.example:3128'}",
     ("api.proxy would be sent the API code unencrypted, because api.base_url is an http:// address; leave api.proxy "
      "out (this machine needs no proxy to reach itself), or give an https:// address")),
])  # fmt: skip
def test_it_is_told_what_cannot_go_together(text: str, sentence: str) -> None:
    """The administrator reads which two keys contradict each other, and what would be right."""
    assert faults(text)[0].text == sentence


def test_of_two_keys_the_one_is_blamed_that_was_given() -> None:
    """Where both were given it is the one that would have to give way: the later of the folders' keys."""
    assert [(fault.where, fault.key) for fault in faults("failed_dir: x\ndone_dir: x")] == [("c.yaml:2", "failed_dir")]
    assert [(fault.where, fault.key) for fault in faults("done_dir: failed")] == [("c.yaml:2", "done_dir")]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("done_dir: .", ["done_dir", "done_dir", "done_dir"]),
        ("work_dir: /srv/in/x/..", ["work_dir", "work_dir", "work_dir"]),
        ("failed_dir: done", ["failed_dir"]),
        ("work_dir: ./done", ["work_dir"]),
        ("work_dir: done/work", ["work_dir"]),
        ("done_dir: failed/ok", ["done_dir"]),
        ("done_dir: /srv", ["done_dir", "done_dir", "done_dir"]),
    ],
)
def test_folders_that_coincide_or_lie_in_one_another_are_refused(text: str, keys: list[str]) -> None:
    """A file's state is its folder, so no folder may be, or hold, another; only drop_dir may hold them."""
    assert blamed(text) == keys


@pytest.mark.parametrize(
    "text", ["done_dir: /srv/done", "done_dir: sent/ok\nfailed_dir: sent/bad", "done_dir: donefailed"]
)
def test_folders_beside_one_another_are_taken(text: str) -> None:
    """Folders may lie beside the drop folder, or deep in it."""
    assert blamed(text) == []


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("status_page: failed", ["status_page"]),
        ("status_page: sent\ndone_dir: sent/ok", ["status_page"]),
        ("done_dir: status.html", ["done_dir"]),
        ("done_dir: status.html\nstatus_page: null", []),
        ("status_page: done\ndone_dir: /srv/done", []),
    ],
)
def test_the_status_page_must_not_have_a_folders_name(text: str, keys: list[str]) -> None:
    """The status page cannot have the name of a folder that lies beside it in drop_dir."""
    assert blamed(text) == keys


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("api: {api_code_file: /srv/in/code}", ["api.api_code_file"]),
        ("api: {ca_bundle: /srv/in/ca.pem}", ["api.ca_bundle"]),
        ("metrics: {textfile: /srv/in/../in/x.prom}", ["metrics.textfile"]),
        ("metrics: {textfile: /srv/in/.x.prom}", []),
        ("metrics: {textfile: /srv/in.prom}", []),
    ],
)
def test_the_programs_own_files_must_not_lie_in_the_drop_folder(text: str, keys: list[str]) -> None:
    """There they would be taken for invoices and put aside; dot files never are."""
    assert blamed(text) == keys


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("api: {base_url: 'http://localhost:8080', proxy: 'http://proxy.example:3128'}", ["api.proxy"]),
        ("api: {base_url: 'HTTP://[::1]', proxy: 'https://proxy.example'}", ["api.proxy"]),
        ("api: {base_url: 'https://localhost', proxy: 'http://proxy.example:3128'}", []),
        ("api: {proxy: 'http://proxy.example:3128'}", []),
        ("api: {base_url: 'http://localhost:8080'}", []),
    ],
)
def test_a_proxy_is_not_sent_the_api_code_unencrypted(text: str, keys: list[str]) -> None:
    """What http:// to this machine keeps within it must not leave it through a proxy."""
    assert blamed(text) == keys


def test_bounds_that_cross_are_refused_when_the_file_gives_both() -> None:
    """Who sets one of two bounds need not know the other's default: the default gives way."""
    assert blamed("settle: {quiet: 2m, incomplete_after: 1m}") == ["settle.quiet"]
    assert blamed("retry: {initial: 10m, max: 5m}") == ["retry.initial"]
    assert blamed("settle: {quiet: 1m, incomplete_after: 1m}\nretry: {initial: 5m, max: 5m}") == []
    assert blamed("settle: {incomplete_after: 500ms}\nretry: {max: 1s}") == []


def test_a_read_timeout_beyond_the_deadline_is_possible() -> None:
    """Who only shortens the deadline need not touch the timeouts: the deadline bounds them anyway."""
    assert blamed("api: {deadline: 5s}") == []


def test_a_bad_value_is_not_blamed_a_second_time_for_its_default() -> None:
    """A value that is refused is one fault: its default is not compared with the others."""
    assert blamed("retry: {initial: 10m, max: lots}") == ["retry.max"]


@pytest.mark.parametrize("done", ["/etc/drop_dir", "/etc"])
def test_a_bad_drop_folder_is_not_compared_with_the_others(done: str) -> None:
    """What stands in for a drop folder that was refused is nobody's choice: no other folder is blamed for it."""
    with pytest.raises(ConfigError) as caught:
        parse(f"drop_dir: null\ndone_dir: {done}\nfailed_dir: /a\nwork_dir: /b", where="c.yaml", base=Path("/etc"))
    assert [fault.key for fault in caught.value.faults] == ["drop_dir"]
