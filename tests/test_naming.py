"""Which files are left alone, which order a file belongs to, and under which name it is kept."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from invoice_watcher.config import ORDER_ID_PATTERN, Config
from invoice_watcher.invoice import Invoice, Kind, OrderId
from invoice_watcher.naming import Naming, ignoring_pattern, is_numbered, naming_of, numbered

DEFAULT = Naming.of(ORDER_ID_PATTERN.pattern, own_names=["status.html"])

ORDER_IDS = st.from_regex(r"\A[A-Za-z0-9_-]{1,64}\Z")
EXTENSIONS = st.sampled_from([cased for kind in Kind for cased in (kind.value, kind.value.upper(), kind.value.title())])
ANY_NAME = st.text(st.characters()) | st.binary().map(os.fsdecode)


@pytest.mark.parametrize("case", [str, str.upper, str.lower, str.swapcase, str.title])
@pytest.mark.parametrize(
    "name",
    [
        *(
            ".hidden",
            ".12345.pdf",
            ".12345.pdf.Xa8Zq2",
            "._12345.pdf",
            ".",
            "..",
            ".DS_Store",
            ".smbdeleteAF12",
            "lost+found",
        ),
        *("~$invoice.docx", "~$12345.xlsx", ".~lock.12345.pdf#", ".~lock.#"),
        *("12345.tmp", "12345.pdf.tmp", "ABCD1234.temp", "12345.pdf.part", "12345.partial", "12345.pdf.crdownload"),
        *("Unconfirmed 8812.crdownload", "12345.pdf.download", "12345.pdf.filepart", "12345.swp", "a\nb.tmp"),
        *("Thumbs.db", "desktop.ini", "status.html"),
    ],
)
def test_temporary_names_are_never_taken(name: str, case: type[str]) -> None:
    """What Office, browsers, WinSCP, vim, rsync and file managers leave behind is no invoice, in any letter case."""
    assert DEFAULT.is_ignored(case(name))


@pytest.mark.parametrize(
    "name",
    [
        *("12345.pdf", "12345", "a~$b.docx", "lock.12345.pdf#", "tmp", "12345.tmp.pdf", "parts.pdf", "12345.tmp2"),
        *(
            "Thumbs.db.pdf",
            "xThumbs.db",
            "desktop.ini2",
            "DS_Store",
            "status.html.pdf",
            "statusxhtml",
            "my status.html",
        ),
        *("12345.pdf\n", "\n.pdf", "", " ", "12345.part\n"),
    ],
)
def test_all_other_names_are_taken(name: str) -> None:
    """What merely looks like a temporary name is judged, and answered, rather than left lying in silence."""
    assert not DEFAULT.is_ignored(name)


def test_more_patterns_can_be_left_alone() -> None:
    """`ignore` adds to the built-in names, in any letter case, and matches the whole name."""
    naming = Naming.of(ORDER_ID_PATTERN.pattern, ignore=["*.BAK", "draft-?.pdf", "[xy]*.PDF", "Straße*"])
    for name in ("12345.bak", "12345.Bak", "DRAFT-1.pdf", "X1.pdf", "y.Pdf", "STRASSE 1.pdf", "12345.tmp"):
        assert naming.is_ignored(name)
    for name in ("12345.bak.pdf", "draft-12.pdf", "z1.pdf", "1.pdf", "my draft-1.pdf"):
        assert not naming.is_ignored(name)


@pytest.mark.parametrize("page", ["status.html", "état [1].html", "Übersicht*.htm"])
def test_the_own_status_page_is_left_alone(page: str) -> None:
    """Exactly the page that the program writes, by whatever name, and no file that only resembles it."""
    naming = Naming.of(ORDER_ID_PATTERN.pattern, own_names=[page])
    assert naming.is_ignored(page)
    assert naming.is_ignored(page.upper())
    assert not naming.is_ignored("x" + page)
    assert not naming.is_ignored("état 1.html")
    assert not naming.is_ignored("Übersicht 2.htm")


@pytest.mark.parametrize("extension", ["doc", "docx", "pdf", "xls", "xlsx", "url"])
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_an_invoice_is_its_order_and_an_extension(extension: str, case: type[str]) -> None:
    """`ORDERID.EXT` in any letter case; the order keeps its own."""
    name = f"Ab-1_2.{case(extension)}"
    assert DEFAULT.read(name) == Invoice(name, OrderId("Ab-1_2"), Kind(extension))


@pytest.mark.parametrize(
    "name", ["12345", "12345.txt", "12345.", "12345.pdf ", "12345.pdf\n", "12345.pdfx", "12345.PDF\u200b"]
)
def test_another_kind_of_file_is_no_invoice(name: str) -> None:
    """A file of another extension is taken all the same, to be rejected with a reason."""
    assert DEFAULT.read(name).kind is None


@pytest.mark.parametrize("order_id", ["1", "x" * 64, "-", "_", "0" * 64, "-rf", "CON"])
def test_ids_within_the_default_pattern_are_taken(order_id: str) -> None:
    """Letters, digits, `-` and `_`; one to sixty-four of them."""
    assert DEFAULT.read(f"{order_id}.pdf").order_id == order_id


@pytest.mark.parametrize(
    "stem",
    [
        *("", "x" * 65, "12345\n", "\n12345", " 12345", "12345 ", "12 345", "12345.", "..", "a..b", "1.2.3.4"),
        *(
            "12345é",
            "Ä",
            "١٢٣٤٥",
            "\uff11\uff12",
            "²",
            "1\u202e2",
            "1\0",
            "a/b",
            "../1",
            "a\\b",
            "12345 (1)",
            "12345 - Copy",
        ),
        *("12345~", "12345%2F", "12345.pdf", "12345\udcff", "\ud800"),
    ],
)
def test_what_is_not_quite_an_id_is_none(stem: str) -> None:
    """The whole name must fit: no newline, blank, path, foreign digit or broken byte slips through."""
    invoice = DEFAULT.read(f"{stem}.pdf")
    assert invoice.order_id is None
    assert invoice.kind is Kind.PDF


@pytest.mark.parametrize(
    ("name", "order_id"),
    [
        ("INV-12345-Müller.pdf", "12345"),
        ("INV-12345-.pdf", "12345"),
        ("INV-12345-Müller.2.pdf", "12345"),
        ("INV--Müller.pdf", None),
        ("12345.pdf", None),
        ("inv-12345-x.pdf", None),
    ],
)
def test_a_group_takes_the_id_out_of_a_longer_name(name: str, order_id: str | None) -> None:
    """`(?P<order_id>…)` in `order_id_pattern`, for software that exports names of its own."""
    naming = Naming.of(r"INV-(?P<order_id>[0-9]+)-.*")
    assert naming.read(name).order_id == order_id


def test_a_group_that_takes_no_part_names_no_order() -> None:
    """An alternative without the group fits the name but says no id, so the file is rejected by its name."""
    naming = Naming.of(r"bill_(?P<order_id>[0-9]+)|draft_[0-9]+|(?P<other>x)")
    assert naming.read("bill_7.pdf").order_id == "7"
    assert naming.read("draft_7.pdf").order_id is None
    assert naming.read("x.pdf").order_id is None


@pytest.mark.parametrize("stem", [".", "..", "a/b", "12\n", "\x1b[0m", "\udcff", "x" * 201])
def test_even_a_careless_pattern_lets_nothing_dangerous_through(stem: str) -> None:
    """An administrator's `(?s).*` does not open a way out of the folder, or into another address of the API."""
    assert Naming.of("(?s).*").read(f"{stem}.pdf").order_id is None


@pytest.mark.parametrize("length", [230, 231, 255])
def test_a_name_that_may_be_cut_short_names_no_order(length: int) -> None:
    """Of a name too long for a receipt only a part is kept, and no part of it may become an order."""
    name = "INV-12345-".ljust(length - 4, "x") + ".pdf"
    assert Naming.of(r"INV-(?P<order_id>[0-9]+)-.*").read(name).order_id == ("12345" if length == 230 else None)
    assert DEFAULT.read(name, "12345").order_id == "12345", "what this program called so itself"


@pytest.mark.parametrize("name", ["12345.2.pdf", "12345.10.pdf", "2026.11.pdf", "12345.0.pdf", "12345.1.pdf"])
def test_a_number_behind_an_id_is_not_guessed_at(name: str) -> None:
    """`2026.11.pdf` may be a date: without a word from elsewhere it belongs to no order, and never to order 2026."""
    assert DEFAULT.read(name).order_id is None


def test_what_the_program_filed_itself_it_knows_again() -> None:
    """A second document for an order lies in `failed` as `12345.2.pdf`; its receipt there tells the order."""
    assert DEFAULT.read("12345.2.pdf", "12345") == Invoice("12345.2.pdf", OrderId("12345"), Kind.PDF)
    assert DEFAULT.read("12345.2.pdf", "../1").order_id is None


@pytest.mark.parametrize(
    ("name", "numbered_by_us"),
    [("12345.2.pdf", True), ("a b.10.PDF", True), ("README.2", True), ("12345.pdf", False), ("12345.02.pdf", False)],
)
def test_names_with_a_number_of_ours(name: str, numbered_by_us: bool) -> None:  # noqa: FBT001 - a case
    """Only for a name like `12345.2.pdf`, which the program itself may have given, a receipt is looked for."""
    assert is_numbered(name) is numbered_by_us


@pytest.mark.parametrize(
    ("name", "number", "result"),
    [
        ("12345.pdf", 2, "12345.2.pdf"),
        ("12345.PDF", 100, "12345.100.PDF"),
        ("2024.12.pdf", 2, "2024.12.2.pdf"),
        ("12345.1.pdf", 2, "12345.1.2.pdf"),
        ("a b.tar.gz", 2, "a b.tar.2.gz"),
        ("README", 2, "README.2"),
        ("12345.", 2, "12345.2."),
        ("a\nb.pdf", 3, "a\nb.3.pdf"),
        ("caf\udce9.pdf", 2, "caf\udce9.2.pdf"),
    ],
)
def test_a_taken_name_gets_a_number(name: str, number: int, result: str) -> None:
    """`12345.pdf`, `12345.2.pdf`, `12345.3.pdf`: the extension stays, and nothing of the name is lost."""
    assert numbered(name, number) == result


@given(ORDER_IDS, EXTENSIONS, st.integers(2, 999_999))
def test_a_numbered_name_is_known_as_such(order_id: str, extension: str, number: int) -> None:
    """However a document was called, the name it got from the program is recognised."""
    assert is_numbered(numbered(f"{order_id}.{extension}", number))


@given(ANY_NAME, st.integers(2, 100))
def test_every_name_has_a_next_one(name: str, tries: int) -> None:
    """Nothing is ever overwritten: there is always another name to try, and never the same one twice."""
    assume(name)
    candidates = [name, *(numbered(name, number) for number in range(2, 2 + tries))]
    assert len(set(candidates)) == len(candidates)


def test_the_configuration_says_what_is_left_alone() -> None:
    """The status page, while it is written too, and what `ignore` names; the watch hears nothing of the page alone."""
    config = Config(
        drop_dir=Path("/srv"), status_page="page.html", ignore=("*.draft",), order_id_pattern=re.compile("[a-z]+")
    )
    naming = naming_of(config)
    assert naming.own == {"page.html", ".invoice-watcher-page"}
    assert all(map(naming.is_ignored, [*naming.own, "x.draft", "x.tmp"]))
    assert (naming.read("abc.pdf").order_id, naming.read("123.pdf").order_id) == ("abc", None)


def test_without_a_status_page_no_name_is_the_programs_own() -> None:
    """A file that is called as the page would be is judged, and answered, where none is written."""
    naming = naming_of(Config(drop_dir=Path("/srv"), status_page=None))
    assert naming.own == frozenset()
    assert not naming.is_ignored("status.html")


@given(ANY_NAME)
def test_any_name_can_be_read(name: str) -> None:
    """Whatever a stranger calls a file, nothing breaks, and no order or kind is read that the name does not say."""
    assert DEFAULT.is_ignored(name) in {True, False}
    invoice = DEFAULT.read(name)
    assert invoice.name == name
    if invoice.order_id is not None:
        assert ORDER_ID_PATTERN.fullmatch(invoice.order_id)
        assert name.startswith(invoice.order_id)
    if invoice.kind is not None:
        assert name.lower().endswith(f".{invoice.kind}")


@given(ANY_NAME | st.from_regex(r"[A-Z]{1,3}[0-9]{1,4}([._][0-9]+)?(\.pdf)?", fullmatch=True))
def test_the_lane_of_a_readable_name_is_known_sooner(name: str) -> None:
    """Where a name holds an order, both ways of reading it agree on its lane; any other has one too."""
    patterns = ("(?P<order_id>[A-Z]+)[0-9]*", "[0-9]+|(?P<order_id>[A-Z]+[0-9]*)_.*", "[A-Z0-9.]+")
    for naming in (DEFAULT, *map(Naming.of, patterns)):
        invoice, lane = naming.read(name), naming.lane_of(name)
        assert invoice.order_id is None or lane == invoice.lane


@given(ANY_NAME, st.lists(ANY_NAME, max_size=3), st.lists(ANY_NAME, max_size=3))
def test_any_pattern_to_ignore_is_a_pattern(name: str, ignore: list[str], own_names: list[str]) -> None:
    """No text in `ignore`, and no name of the status page, breaks the reading of names."""
    naming = Naming.of(ORDER_ID_PATTERN.pattern, ignore, own_names)
    assert naming.is_ignored(name) or not DEFAULT.is_ignored(name) or name.casefold() == "status.html"
    assert all(naming.is_ignored(own) for own in own_names)


@given(ANY_NAME, st.lists(st.text(max_size=5), max_size=3))
def test_the_pattern_that_is_told_is_the_one_that_fits(name: str, ignore: list[str]) -> None:
    """Whatever is left alone, the pattern by which it is can be told; and of what is taken, none is."""
    assert (ignoring_pattern(name, ignore) is not None) == Naming.of("", ignore).is_ignored(name)
