"""Names in the work folder: a document is told from a note, and gets back the name with which it was dropped."""

from __future__ import annotations

import os
from itertools import islice

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from invoice_watcher.naming import is_short
from invoice_watcher.spool.names import is_document, note_name, original_name, work_names

FILE_NAMES = st.text(
    st.one_of(st.sampled_from("a.~é\n json2"), st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)),
    min_size=1,
    max_size=300,
).map(lambda text: os.fsdecode(os.fsencode(text.replace("/", "_"))[:255]))


def test_a_document_keeps_its_name_where_it_can() -> None:
    """An administrator finds a document in the work folder under its own name; where that is taken, with a number."""
    assert list(islice(work_names("12345.pdf"), 3)) == ["12345.pdf", "12345.pdf~1~", "12345.pdf~2~"]
    assert next(work_names("12345.pdf.json")) == "12345.pdf.json~1~"


@pytest.mark.parametrize(("name", "cut"), [
    ("x" * 251 + ".pdf", "x" * 236 + ".pdf"), ("1." + "x" * 246 + ".docx", "1." + "x" * 233 + ".docx"),
    ("1." + "x" * 10, "1." + "x" * 10), ("x" * 244 + "." + "y" * 10, "x" * 229 + "." + "y" * 10),
    ("x" * 243 + "." + "y" * 11, "x" * 240), ("." + "x" * 254, "." + "x" * 239), ("x" * 255, "x" * 240),
])  # fmt: skip
def test_a_long_name_is_cut_before_its_extension(name: str, cut: str) -> None:
    """What is cut short keeps the extension by which a clerk's programs open it; what is none is cut as well."""
    assert next(work_names(name)) == cut


@given(FILE_NAMES)
@example("\udcff.receipt-" + "x" * 240)
@example("x.json~.2")
@example("x.json~1~")
def test_a_document_can_always_be_told_from_a_note(name: str) -> None:
    """Whatever a clerk calls a file, in the work folder it is no note, no hidden file that was not one, and fits."""
    for work_name in islice(work_names(name), 4):
        assert is_document(work_name) != name.startswith(".")
        assert not is_document(note_name(work_name))
        assert work_name.startswith(".") == name.startswith(".")
        assert len(os.fsencode(note_name(work_name))) <= 255


@given(st.lists(FILE_NAMES.filter(lambda name: len(os.fsencode(name)) <= 240), unique=True))
@example(["x.json", "x.json~1~", "x.json~"])
def test_no_two_files_share_a_place_and_each_gets_its_name_back(names: list[str]) -> None:
    """`12345.pdf.json` dropped beside `12345.pdf` is a document of its own, and is filed away under its own name."""
    work = [list(islice(work_names(name), 3)) for name in names]
    every = [one for found in work for one in found]
    assert len(set(every)) == len(every)
    assert [[original_name(one) for one in found] for found in work] == [[name] * 3 for name in names]
    assert not set(every) & {note_name(one) for one in every}


@given(FILE_NAMES)
@example("x" * 255)
@example("\N{LATIN SMALL LETTER E WITH ACUTE}" * 127)
def test_a_name_that_is_cut_short_is_known_by_its_length(name: str) -> None:
    """So no order is ever read from a part of a name: not after a crash, nor when a person moves the file back."""
    assert {is_short(original_name(work_name)) for work_name in islice(work_names(name), 3)} == {is_short(name)}


@pytest.mark.parametrize("name", [".receipt-1", ".copy-x1_y2", ".invoice-watcher-lock", "12345.pdf.json", ".json"])
def test_what_the_program_itself_keeps_there_is_no_document(name: str) -> None:
    """Room for a receipt, a copy, the lock and the notes are never counted, sent or filed as invoices."""
    assert not is_document(name)
