"""Text from outside is shown in one line, left to right, and can always be written."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoice_watcher.escaping import encodable, escape

# Every character there is, half surrogate pairs among them, and file names made of any bytes.
ANY_TEXT = st.text(st.characters()) | st.binary().map(os.fsdecode)


@pytest.mark.parametrize("text", ["12345.pdf", "Rechnung Müller & Söhne.pdf", "發票 №7.pdf", "a\\nb", "", "🧾"])
def test_what_can_be_read_stays_as_it_is(text: str) -> None:
    """A clerk finds the name in the log just as it stands in the folder."""
    assert escape(text) == text
    assert encodable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1.pdf\nERROR forged", r"1.pdf\nERROR forged"),
        ("\r\t\0\x7f", r"\r\t\x00\x7f"),
        ("\x1b[31m", r"\x1b[31m"),
        ("fdp.\u202egpj", r"fdp.\u202egpj"),
        ("\u2066\u200f\u2028\ufeff", r"\u2066\u200f\u2028\ufeff"),
        ("a\xa0b\x85", r"a\xa0b\x85"),
        ("\U000e0041", r"\U000e0041"),
        ("1\udcff.pdf", r"1\xff.pdf"),
        ("\udc7f\udc80\udd00", r"\udc7f\x80\udd00"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_could_deceive_is_spelled_out(text: str, shown: str) -> None:
    """No name can forge a line of the log, colour the terminal, turn the reading direction, or hide a part."""
    assert escape(text) == shown


@given(ANY_TEXT)
def test_any_text_can_be_shown(text: str) -> None:
    """Whatever comes in, what comes out prints, can be written as UTF-8, and is not escaped a second time."""
    shown = escape(text)
    assert shown.isprintable()
    shown.encode()
    assert escape(shown) == shown


@given(ANY_TEXT)
def test_any_text_can_be_written(text: str) -> None:
    """A sidecar holds any name; only what UTF-8 has no bytes for is spelled out, all else stays."""
    written = encodable(text)
    assert written.encode().decode() == written
    assert encodable(written) == written
    assert [char for char in written if not char.isascii()] == [
        char for char in text if not char.isascii() and not "\ud800" <= char <= "\udfff"
    ]


@given(st.binary())
def test_the_bytes_of_a_broken_name_can_be_told(raw: bytes) -> None:
    """A byte of a file name that is no UTF-8 is shown as that byte, as `ls` and Python would show it."""
    assert encodable(os.fsdecode(raw)) == raw.decode("utf-8", "backslashreplace")
