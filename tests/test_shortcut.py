"""Internet shortcuts: which link is in them, and which links are not passed on."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from invoice_watcher.content import Finding, Verdict, inspect
from invoice_watcher.invoice import Kind
from invoice_watcher.shortcut import ShortcutError, parse

LINK = "https://billing.example.com/invoices/12345.pdf"
PLAIN = f"[InternetShortcut]\r\nURL={LINK}\r\n"
SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.url"))


def shortcut(link: str) -> bytes:
    """Return a shortcut to `link`."""
    return f"[InternetShortcut]\r\nURL={link}\r\n".encode()


def verdict(raw: bytes) -> Verdict:
    """Return the verdict on the bytes of a .url."""
    return inspect(BytesIO(raw), len(raw), Kind.URL).verdict


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_shortcuts_of_browsers_and_windows_are_understood(path: Path) -> None:
    """A .url file is understood as browsers and Windows write it: with a byte order mark, UTF-16, other keys."""
    assert parse(path.read_bytes()) == LINK


@pytest.mark.parametrize("codec", ["ascii", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("padding", ["", "\0" * 2000])
def test_every_encoding_and_line_end_is_read(codec: str, line_end: str, padding: str) -> None:
    """A .url file is read in each encoding and with each line end, and whatever NUL a file system left behind it."""
    raw = (PLAIN.replace("\r\n", line_end) + padding).encode(codec)
    assert parse(raw) == LINK
    assert verdict(raw) is Verdict.WHOLE


def test_big_endian_utf_16_is_read_with_its_mark() -> None:
    """A .url file in big-endian UTF-16, as Windows Notepad can save it, is read by its byte order mark."""
    assert parse(b"\xfe\xff" + PLAIN.encode("utf-16-be")) == LINK


@pytest.mark.parametrize("text", [
    f"[internetshortcut]\nurl={LINK}\n",
    f" [INTERNETSHORTCUT] \n Url = {LINK} \t\n",
    f'[InternetShortcut]\nURL="{LINK}"\n',
    f"[DEFAULT]\nURL=http://frame.example.com\n[InternetShortcut]\nURL={LINK}\nURL=http://second.example.com\n",
    f"[InternetShortcut.W]\nURL=+ZeVnLIqe-\n[InternetShortcut]\n;URL=x\nMyURL=y\nURL={LINK}\n",
    f"[InternetShortcut]\nURL={LINK}",
    f"[InternetShortcut]\nURL={LINK}\0\0",
])  # fmt: skip
def test_the_first_url_of_the_right_section_counts(text: str) -> None:
    """In any letter case and with any white space, as Windows reads INI files."""
    assert parse(text.encode()) == LINK


@pytest.mark.parametrize("link", [
    "http://a", "HTTPS://Example.COM:8443/a?b=c&d=%20#e", "https://[2001:db8::1]/a", "https://192.0.2.1/",
    "https://bücher.example/größe.pdf", "https://a.example/x@y", "https://a_b.example",
    "https://a/" + "x" * 2038,
])  # fmt: skip
def test_web_links_are_passed_on_as_they_stand(link: str) -> None:
    """Nothing is normalised: the link is what the clerk's browser saved."""
    assert parse(shortcut(link)) == link


def test_cp1252_is_read_where_it_is_no_utf_8() -> None:
    """Old Windows programs write the machine's code page."""
    assert parse(shortcut("https://a.example/").replace(b"example/", b"example/\xfc")) == "https://a.example/ü"


@pytest.mark.parametrize(("link", "why"), [
    ("", "is empty"),
    ('""', "is empty"),
    ('"', "does not begin with http:// or https://"),
    ("file:///C:/invoices/12345.pdf", "leads to a file"),
    (r"C:\invoices\12345.pdf", "leads to a file"),
    (r"\\server\invoices\12345.pdf", "leads to a file"),
    ("ftp://a.example/12345.pdf", "begins with ftp:"),
    ("javascript:alert(1)", "begins with javascript:"),
    ("mailto:anna@a.example", "begins with mailto:"),
    ("z" * 99 + "://a.example", f"begins with {'z' * 20}:,"),
    ("www.example.com/12345.pdf", "does not begin with http:// or https://"),
    ("12345", "does not begin with http:// or https://"),
    ("https:///12345.pdf", "names no web server"),
    ("https:12345.pdf", "names no web server"),
    ("http:\\\\a.example\\b", "names no web server"),
    ("https://a.example\\b/c", "names no web server"),
    ("https://anna:secret@a.example/", "user name or password"),
    ("https://anna@a.example/", "user name or password"),
    ("https://@a.example/", "user name or password"),
    ("https://a.example/my invoice.pdf", "a space, a control character"),
    ("https://a.example/\x07", "a space, a control character"),
    ("https://a.example/\u202efdp", "a space, a control character"),
    ("https://a.example/\0b", "a space, a control character"),
    ("https://a.example/\ufffd", "bytes that are no text"),
    ("https://[a.example/", "malformed"),
    ("https://a.example:99999/", "malformed"),
    ("https://a/" + "x" * 2039, "longer than 2,048 characters"),
])  # fmt: skip
def test_other_links_are_refused_with_the_reason(link: str, why: str) -> None:
    """A clerk reads what is wrong with the shortcut; the link itself, and its password, are not repeated."""
    with pytest.raises(ShortcutError, match=why) as error:
        parse(shortcut(link))
    assert "secret" not in str(error.value)
    assert verdict(shortcut(link)) is Verdict.WHOLE, "the link is judged by the caller, not its completeness"


@pytest.mark.parametrize("raw", [b"", b"\0" * 99, b"[Internet", b"[InternetShortcut]\r\n", f"URL={LINK}\n".encode()])
def test_a_shortcut_without_a_link_is_told_so(raw: bytes) -> None:
    """A .url file in which there is no link, cut in its header or never filled in, is refused with that reason."""
    with pytest.raises(ShortcutError, match="holds no URL= line"):
        parse(raw)


def test_a_huge_file_is_no_shortcut() -> None:
    """Windows writes a few hundred bytes; 64 KiB are generous."""
    assert parse(PLAIN.encode().ljust(64 * 1024, b"\n")) == LINK
    with pytest.raises(ShortcutError, match="larger than 64 KiB"):
        parse(PLAIN.encode().ljust(64 * 1024 + 1, b"\n"))


@pytest.mark.parametrize(("raw", "what"), [
    (b"[InternetShortcut]\r\n", "the shortcut holds no URL= line"),
    (PLAIN.encode().rstrip(), "the URL= line of the shortcut has no line end"),
])  # fmt: skip
def test_it_is_told_what_a_doubtful_shortcut_lacks(raw: bytes, what: str) -> None:
    """Whoever wonders why a shortcut has to wait reads what is missing in it."""
    assert inspect(BytesIO(raw), len(raw), Kind.URL) == Finding(Verdict.DOUBTFUL, what)


@given(st.integers(1, len(PLAIN) - 2))
def test_a_link_that_may_still_grow_is_doubtful(length: int) -> None:
    """A link cut in the middle is a link too, so its line has to end before it is sent at once."""
    assert verdict(PLAIN.encode()[:length]) is Verdict.DOUBTFUL


@given(st.binary())
@example(b"\xfe\xff\0")
@example(b"\xff\xfe\0")
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    """Whatever is in the file, it is a link or a ShortcutError."""
    for candidate in (raw, b"[InternetShortcut]\nURL=" + raw, b"[InternetShortcut]\nURL=https://" + raw):
        link = ""
        with suppress(ShortcutError):
            link = parse(candidate)
        assert not link or (link.isprintable() and link.lower().startswith(("http://", "https://")))
