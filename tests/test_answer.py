"""What the API said, in whatever shape it says it; and what proves nothing."""

from __future__ import annotations

import gzip
import json
import string
import time
from typing import Any
from xml.etree import ElementTree as ET  # only to write documents here, never to read them

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoice_watcher.answer import Answer, Body, read_answer

CLOSED = "Order is already shipped or cancelled"
ERROR = Answer(Body.ERROR, 103, CLOSED)
MIB = 1024 * 1024

ERRORS = [
    f'{{"error": {{"code": 103, "message": "{CLOSED}"}}}}',
    f'{{"Error": {{"Code": 103, "Message": "{CLOSED}"}}}}',
    f'{{"ERROR": {{"CODE": "103", "MESSAGE": "{CLOSED}"}}}}',
    f'{{"code": 103, "message": "{CLOSED}"}}',
    f'{{"Message": "{CLOSED}", "Code": " 103 "}}',
    f'{{"code": 103.0, "message": "{CLOSED}"}}',
    f'{{"errorCode": "0103", "errorMessage": "{CLOSED}"}}',
    f'{{"error_code": 103, "error_message": "{CLOSED}"}}',
    f'{{"code": 103, "error": "{CLOSED}"}}',
    f'{{"code": 103, "description": "{CLOSED}"}}',
    f'{{"errors": [{{"code": 103, "message": "{CLOSED}"}}, {{"code": 100, "message": "second"}}]}}',
    f'[{{"code": 103, "message": "{CLOSED}"}}]',
    f'{{"invoice": {{"result": [[{{"error": {{"code": 103, "message": "{CLOSED}"}}}}]]}}}}',
    f'{{"success": true, "code": 0, "details": {{"code": 103, "message": "{CLOSED}"}}}}',
    f'{{"code": 103, "message": "", "errors": [{{"message": "{CLOSED}"}}]}}',
    f'{{"code": 103, "message": null, "error": "  {CLOSED}\\n"}}',
    f"<InvoiceResponse><Code>103</Code><Message>{CLOSED}</Message></InvoiceResponse>",
    f"<InvoiceResponse><Error><Code>103</Code><Message>{CLOSED}</Message></Error></InvoiceResponse>",
    f"<invoiceresponse><a><b><CODE> 103\n</CODE><MESSAGE>\n{CLOSED} </MESSAGE></b></a></invoiceresponse>",
    f'<r xmlns="urn:a" xmlns:e="urn:b"><e:Error><e:Code>103</e:Code><e:Message>{CLOSED}</e:Message></e:Error></r>',
    f'<Error Code="103" Message="{CLOSED}"/>',
    f'<r xmlns:e="urn:b"><x e:Code="103" e:Message="{CLOSED}"></x></r>',
    f"<error code='103'>{CLOSED}</error>",
    f"<?xml version='1.0' encoding='utf-8'?><!-- c --><r><Code>103</Code><Message><![CDATA[{CLOSED}]]></Message></r>",
    f'<?xml version="1.0" encoding="utf-16"?><r><Code>103</Code><Message>{CLOSED}</Message></r>',
    f"<Envelope xmlns='urn:soap'><Body><Code>103</Code><Message>{CLOSED}</Message></Body></Envelope>",
]

SUCCESSES = [
    *("{}", "[]", '{"ok": true}', '{"error": null}', '{"error": {}}', '{"errors": []}', '{"error": ""}'),
    *('{"error": false, "message": "Invoice saved"}', '{"code": 0}', '{"code": 200, "message": "OK"}'),
    *('{"code": "0"}', '{"Code": "200"}', '{"code": "OK", "message": "done"}', '{"code": "Success"}', '{"code": null}'),
    *('{"success": true, "invoice": {"id": 7, "status": "printed"}}', '{"total": {"amount": 9.5, "code": "EUR"}}'),
    *('{"error": "null"}', '{"error": 0}', '{"errors": "0"}', "<r><Error>null</Error></r>", "<r><Error>0</Error></r>"),
    *("<InvoiceResponse/>", "<InvoiceResponse></InvoiceResponse>", "<r><Code>0</Code><Message/></r>"),
    *("<r><Error/></r>", "<r xmlns:i='urn:i'><Error i:nil='true'/></r>", "<r><Success>true</Success></r>"),
]

UNREADABLE_CODES = [
    '{"code": "E103", "message": "Order closed"}',
    '{"code": 1000000, "message": "Order closed"}',
    '{"code": 103.5, "message": "Order closed"}',
    '{"code": "١٠٣", "message": "Order closed"}',
    "<r><Code>Closed</Code><Message>Order closed</Message></r>",
]


def in_wrappings(text: str) -> list[bytes]:
    """Return a text in the encodings, and with the white space, that programs put around an answer."""
    spaced = [text, f"\r\n\t {text}\n\n"] if not text.startswith("<?xml") else [text]
    return [
        *(each.encode() for each in spaced),
        *(each.encode("utf-8-sig") for each in spaced),
        *(("\ufeff" + each).encode(codec) for each in spaced for codec in ("utf-16-le", "utf-16-be")),
    ]


@pytest.mark.parametrize("text", ERRORS)
def test_an_error_is_found_wherever_it_stands(text: str) -> None:
    """JSON or XML, flat or nested, in any letter case and encoding: the code and the message are found."""
    for raw in in_wrappings(text):
        assert read_answer(raw) == ERROR


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a": ', "}")])
def test_an_error_is_found_in_fifty_wrappings(opens: str, closes: str) -> None:
    """No API nests its answers so deeply; what is nested more deeply than that is none."""
    assert read_answer((opens * 50 + ERRORS[0] + closes * 50).encode()) == ERROR


@pytest.mark.parametrize("text", SUCCESSES)
def test_an_answer_without_an_error_is_clean(text: str) -> None:
    """Complete JSON or XML that names no error is a success, which has no documented form of its own."""
    for raw in in_wrappings(text):
        answer = read_answer(raw)
        assert answer.body is Body.CLEAN
        assert answer.code is None


@pytest.mark.parametrize("raw", [b"", b" \r\n\t ", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n", b"\xff\xfe"])
def test_nothing_is_nothing(raw: bytes) -> None:
    """An answer of nothing but white space or a byte order mark counts as an empty one."""
    assert read_answer(raw) == Answer(Body.EMPTY)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"error": "Order closed"}', "Order closed"),
        ('{"error": true}', None),
        ('{"error": {"text": "x"}}', None),
        ('{"error": {"code": 0}}', None),
        ('{"errors": ["Order closed"]}', "Order closed"),
        ('{"errorMessage": "Order closed"}', "Order closed"),
        ('{"success": false}', None),
        ('{"Success": "False", "message": "Order closed"}', "Order closed"),
        ('{"status": "error", "message": "Order closed"}', "Order closed"),
        ("<Error><Message>An error has occurred.</Message></Error>", "An error has occurred."),
        ("<r><error>Order closed</error></r>", "Order closed"),
        ("<r><Success>false</Success></r>", None),
        *((text, "Order closed") for text in UNREADABLE_CODES),
    ],
)
def test_an_error_without_a_readable_code_is_still_an_error(text: str, message: str | None) -> None:
    """What speaks of an error is never taken for a success, only because its code is missing or unheard of."""
    assert read_answer(text.encode()) == Answer(Body.ERROR, None, message)


@pytest.mark.parametrize("code", [1, 99, 102, 111, 404, 500, 99999, -1])
def test_an_unknown_code_is_told(code: int) -> None:
    """The sidecar names the code that the API gave, also one that its document does not know."""
    assert read_answer(json.dumps({"code": code}).encode()) == Answer(Body.ERROR, code)


@pytest.mark.parametrize(
    "text",
    [
        '{"code": 103, "code": 0}',
        '{"code": 0, "code": 103}',
        '{"error": {"code": 103}, "error": null}',
        '{"Code": 0, "code": 103}',
        '{"a": {"code": 103}, "a": {}}',
    ],
)
def test_of_two_things_said_at_once_the_error_counts(text: str) -> None:
    """A name that stands twice does not hide the error under its first."""
    assert read_answer(text.encode()) == Answer(Body.ERROR, 103)


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE html><html><body>Sign in</body></html>",
        "<html><head><title>502</title></head><body><center>nginx</center></body></html>",
        '<HTML lang="en"><BODY>It works!',
        '\n<!-- login -->\n<!doctype  HTML PUBLIC "-//W3C//DTD HTML 4.01//EN">',
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body>complete XHTML</body></html>',
        "<html><body>code: 0, message: success</body></html>",
        "<h1>It works!</h1>",
        "<script>location='https://portal.example.com'</script>",
        '<meta http-equiv="refresh" content="0; url=/login"/>',
        "<p>Please sign in",
    ],
)
def test_a_web_page_is_no_answer(text: str) -> None:
    """A login page, a proxy's or a captive portal's is told apart, well-formed or not, whatever words are in it."""
    for raw in in_wrappings(text):
        assert read_answer(raw) == Answer(Body.WEB_PAGE)


@pytest.mark.parametrize(
    "raw",
    [
        *(b"OK", b"true", b"null", b"0", b"103", b'"success"', b"code=103", b"<", b"<>", b"a<b/>", b"{'code': 0}"),
        *(b"{}{}", b"{} x", b"<a/><b/>", b"<a/>x", b"<a></b>", b'{"a": 1,}', b"[1 2]", b'{"a" 1}', b"// c\n{}"),
        *(b'{"code": NaN}', b"[Infinity]", b"[-Infinity]", b'{"a": 01}', b'{"a": "\n"}', b"{\xff}", b'{"a": "\xff"}'),
        *(b"<a>&nbsp;</a>", b"<a>\xff</a>", b"<a>\0</a>", b"<a b=1/>", b'<a b="1" b="2"/>', b"<a>&#0;</a>", b"\0\1\2"),
        *(
            b'<?xml version="1.0" encoding="klingon"?><a>\xe9</a>',
            b'<?xml version="1.0" encoding="shift_jis"?><a>\x83\x5c</a>',
        ),
        *(gzip.compress(b"{}", mtime=0), b"%PDF-1.7", b"PK\3\4", bytes(range(256)), b"\xff\xfe{", b"\xfe\xff\xd8\x00"),
        b'{"code": ' + b"1" * 5000 + b"}",
        b"[" * 100 + b"]" * 100,
        b'{"a": ' * 100 + b"1" + b"}" * 100,
    ],
)
def test_anything_else_is_unclear(raw: bytes) -> None:
    """Plain text, a mixture, binary, almost-JSON: such an answer neither proves a delivery nor names an error."""
    assert read_answer(raw) == Answer(Body.UNCLEAR)


def test_latin_letters_in_a_declared_encoding_are_read() -> None:
    """An answer in XML that declares Latin-1 is read in it, as old servers write it."""
    raw = "<?xml version='1.0' encoding='iso-8859-1'?><r><Code>103</Code><Message>Schloß</Message></r>".encode(
        "latin-1"
    )
    assert read_answer(raw) == Answer(Body.ERROR, 103, "Schloß")


@pytest.mark.parametrize(
    "document",
    [
        "<!DOCTYPE r><r><Code>103</Code></r>",
        '<!DOCTYPE r [<!ENTITY a "103">]><r><Code>&a;</Code></r>',
        '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/hostname">]><r><Message>&a;</Message></r>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r/>',
        '<!DOCTYPE r [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x"> %a;]><r/>',
        '<!DOCTYPE r [<!ENTITY a0 "ha">'
        + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 30))
        + "]><r>&a29;</r>",
    ],
)
def test_no_document_type_is_read(document: str) -> None:
    """Entities that multiply, and files or addresses that a document wants fetched, end in nothing, and at once."""
    started = time.thread_time()
    assert read_answer(document.encode()) == Answer(Body.UNCLEAR)
    assert time.thread_time() - started < 1


@pytest.mark.parametrize("text", [*ERRORS, *SUCCESSES, *UNREADABLE_CODES])
def test_what_is_cut_off_is_never_believed(text: str) -> None:
    """An answer that broke off anywhere is taken neither for a success nor for an error."""
    raw = text.encode()
    for length in range(1, len(raw)):
        assert read_answer(raw[:length]).body not in {Body.CLEAN, Body.ERROR, Body.EMPTY}


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["code", "Message", "error", "x"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
JSON_ANSWERS = JSON_VALUES.filter(lambda value: isinstance(value, dict | list)).map(
    lambda value: json.dumps(value).encode()
)


def element(name: str, text: str, children: list[ET.Element]) -> ET.Element:
    """Return an XML element."""
    made = ET.Element(name, {name: text})
    made.text = text
    made.extend(children)
    return made


XML_TEXT = st.text(string.ascii_letters + string.digits + " <&>\"'é🧾", max_size=10)
XML_NAMES = st.sampled_from(["Code", "Message", "error", "InvoiceResponse", "x"])
XML_ANSWERS = st.recursive(
    st.builds(element, XML_NAMES, XML_TEXT, st.just([])),
    lambda inner: st.builds(element, XML_NAMES, XML_TEXT, st.lists(inner, max_size=3)),
    max_leaves=8,
).map(lambda made: bytes(ET.tostring(made, "utf-8", xml_declaration=False)))


@settings(deadline=None)
@given(JSON_ANSWERS | XML_ANSWERS, st.floats(0, 1, exclude_max=True))
def test_any_answer_is_read_whole_or_not_at_all(raw: bytes, part: float) -> None:
    """JSON or XML of any kind is read whole; of one cut off anywhere nothing is believed."""
    assert read_answer(raw).body in {Body.CLEAN, Body.ERROR}
    assert read_answer(raw[: int(part * len(raw))]).body not in {Body.CLEAN, Body.ERROR}


@settings(deadline=2000)
@given(
    st.binary(max_size=4096)
    | st.text().map(str.encode)
    | st.lists(
        st.sampled_from(
            [
                b"<",
                b">",
                b"/",
                b"a",
                b'"',
                b"{",
                b"}",
                b"[",
                b"]",
                b":",
                b",",
                b"code",
                b"103",
                b"&",
                b";",
                b"!",
                b"\xff",
            ]
        )
    ).map(b"".join)
)
def test_any_bytes_give_an_answer(raw: bytes) -> None:
    """A server may send what it likes: it is read or not, quickly, and what was read can be written down."""
    answer = read_answer(raw)
    assert answer.body in Body
    assert answer.code is None or answer.body is Body.ERROR
    if answer.message is not None:
        answer.message.encode()


def test_half_a_surrogate_pair_in_a_message_can_be_written() -> None:
    """JSON can spell what UTF-8 cannot hold; the message is kept, and does not break the sidecar."""
    assert read_answer(rb'{"code": 103, "message": "a\ud800"}') == Answer(Body.ERROR, 103, r"a\ud800")


@pytest.mark.slow
@pytest.mark.parametrize(
    "raw",
    [
        *(b"[" * MIB, b'{"a":' * (MIB // 5), b"<a>" * (MIB // 3), b"<a>" * (MIB // 7) + b"</a>" * (MIB // 7)),
        *(
            b"<" * MIB,
            b"<!--" + b"-" * MIB,
            b'<a b="' + b"x" * MIB,
            b"<a " + b"".join(b"b%d='' " % n for n in range(80_000)),
        ),
        *(b" " * MIB, b"\0" * MIB, b"&lt;" * (MIB // 4), b'"' + b"\\" * MIB, b"-" * MIB, b"9" * MIB),
        *(b"[" + b"9" * 4000 + (b"," + b"9" * 4000) * 250 + b"]", b"[" + b"1e999," * (MIB // 6) + b"1]"),
        *(b'{"code":' + b"1" * 4300 + b"}", b"[" + b'{"code":1},' * (MIB // 11) + b"{}]"),
        b"<r>" + b"<Code>1</Code>" * (MIB // 14) + b"</r>",
        b"<!doctype " + b"\n" * MIB + b"html",
    ],
    ids=lambda raw: repr(raw[:16]),
)
def test_the_largest_answer_is_read_in_bounded_time(raw: bytes) -> None:
    """One MiB of whatever costs most to read does not hold up a worker."""
    started = time.thread_time()
    assert read_answer(raw).body in Body
    assert time.thread_time() - started < 10
