"""Small invoices of every format, made on the spot, so that the demo needs no files.

Each one is a whole document of its kind. The old formats are what accounting software often writes under their names:
RTF as `.doc`, an HTML table as `.xls`. Pure; raises nothing.
"""

from __future__ import annotations

from io import BytesIO
from zipfile import ZipFile

_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/{part}" ContentType="application/vnd.openxmlformats-officedocument.{kind}.main+xml"/></Types>'
)
_RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="{part}"/></Relationships>'
)
_WORD = (
    '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    "<w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>"
)
_HELVETICA = "<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
_WORKBOOK = '<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>'


def pdf(text: str) -> bytes:
    """Return a one-page PDF (ISO 32000-1) that says `text`."""
    content = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources {_HELVETICA} >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
    ]
    body, offsets = "%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{one}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
    return f"{body}{end}startxref\n{len(body)}\n%%EOF\n".encode()


def docx(text: str) -> bytes:
    """Return a Word document (ECMA-376) that says `text`."""
    return _package("word/document.xml", "wordprocessingml.document", _WORD.format(text=text))


def xlsx() -> bytes:
    """Return an empty Excel workbook (ECMA-376)."""
    return _package("xl/workbook.xml", "spreadsheetml.sheet", _WORKBOOK)


def doc(text: str) -> bytes:
    """Return what many programs save as `.doc`: RTF."""
    return f"{{\\rtf1\\ansi {text}\\par}}\n".encode()


def xls(text: str) -> bytes:
    """Return what much accounting software exports as `.xls`: an HTML table."""
    return f"<html><body><table><tr><td>{text}</td></tr></table></body></html>\n".encode()


def shortcut(link: str) -> bytes:
    """Return a Windows Internet shortcut to `link`."""
    return f"[InternetShortcut]\r\nURL={link}\r\n".encode()


def _package(part: str, kind: str, body: str) -> bytes:
    file = BytesIO()
    with ZipFile(file, "w") as package:
        package.writestr("[Content_Types].xml", _TYPES.format(part=part, kind=kind))
        package.writestr("_rels/.rels", _RELATIONS.format(part=part))
        package.writestr(part, body)
    return file.getvalue()
