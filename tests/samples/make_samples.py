"""Make the sample invoices that lie beside this script.

Every sample is the same invoice, number 12345, as some program in an office
would save it.  Documents are written by LibreOffice and qpdf; the few formats
neither of them writes are spelled out here, byte for byte.

Run it with::

    python tests/samples/make_samples.py [FOLDER]

Without FOLDER the files land beside this script and replace those there.  They
are checked in, so the tests need none of the programs below, and only somebody
who wants to change the samples has to run this.  LibreOffice puts the date and
identifiers into some files, and encryption begins with random salt, so these
come out different (of much the same size) every time.

It needs these Debian packages (made with Debian 12: LibreOffice 7.4.7, qpdf
11.3.0)::

    apt-get install --no-install-recommends libreoffice-writer-nogui \
        libreoffice-calc-nogui libreoffice-common python3-uno qpdf \
        fonts-dejavu-core

python3-uno belongs to Debian's own /usr/bin/python3, which is therefore the one
that runs the small part that needs it (see ENCRYPT); this script itself runs on
any Python from 3.11 and needs nothing but the standard library.
"""

import quopri
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PASSWORD = "invoice"  # noqa: S105 - the tests open the samples with it
OLE2 = bytes.fromhex("d0cf11e0a1b11ae1")
URL = "https://billing.example.com/invoices/12345.pdf"
ROWS = (
    ("Envelopes C5", 20, 1.25),
    ("Toner, black", 2, 64.90),
    ("Paper A4, box", 5, 21.50),
)
TOTAL = sum(count * price for _, count, price in ROWS)

OFFICE_NAMESPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{urn}:1.0"'
    for name, urn in (
        ("office", "office"),
        ("style", "style"),
        ("text", "text"),
        ("table", "table"),
        ("fo", "xsl-fo-compatible"),
        ("svg", "svg-compatible"),
    )
)

# Run by Debian's Python: the command line of soffice cannot set a password.
# Arguments: the pipe soffice listens on, the password, then source URL, target
# URL and filter name for each document.
ENCRYPT = """
import sys
import time

import uno
from com.sun.star.beans import NamedValue, PropertyValue
from com.sun.star.connection import NoConnectException


def properties(**values):
    return tuple(PropertyValue(Name=n, Value=v) for n, v in values.items())


pipe, password, *jobs = sys.argv[1:]
context = uno.getComponentContext()
resolver = context.ServiceManager.createInstanceWithContext(
    "com.sun.star.bridge.UnoUrlResolver", context
)
for attempt in range(120):
    try:
        office = resolver.resolve(
            f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext"
        )
        break
    except NoConnectException:
        time.sleep(0.5)
else:
    sys.exit("soffice does not answer")
desktop = office.ServiceManager.createInstanceWithContext(
    "com.sun.star.frame.Desktop", office
)
for source, target, kind in zip(jobs[::3], jobs[1::3], jobs[2::3]):
    document = desktop.loadComponentFromURL(
        source, "_blank", 0, properties(Hidden=True)
    )
    # Password= is for LibreOffice's own formats; for OOXML it is silently ignored.
    secret = uno.Any(
        "[]com.sun.star.beans.NamedValue",
        (NamedValue("CryptoType", "Standard"), NamedValue("OOXPassword", password)),
    )
    document.storeToURL(target, properties(FilterName=kind, EncryptionData=secret))
    document.close(True)
try:
    desktop.terminate()
except Exception:
    pass  # the connection may go before the answer comes
"""


def text_document() -> str:
    """Return the invoice as a flat OpenDocument text."""

    def cell(text: str) -> str:
        return f"<table:table-cell><text:p>{text}</text:p></table:table-cell>"

    def row(*cells: str) -> str:
        return f"<table:table-row>{''.join(map(cell, cells))}</table:table-row>"

    rows = [row("Item", "Quantity", "Price", "Amount")]
    rows += [row(n, str(c), f"{p:.2f}", f"{c * p:.2f}") for n, c, p in ROWS]
    rows.append(row("Total", "", "", f"EUR {TOTAL:.2f}"))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<office:document {OFFICE_NAMESPACES} office:version="1.2"
 office:mimetype="application/vnd.oasis.opendocument.text">
<office:font-face-decls>
<style:font-face style:name="DejaVu Sans" svg:font-family="'DejaVu Sans'"/>
</office:font-face-decls>
<office:styles><style:default-style style:family="paragraph">
<style:text-properties style:font-name="DejaVu Sans" fo:font-size="11pt"
 fo:language="en" fo:country="GB"/>
</style:default-style></office:styles>
<office:body><office:text>
<text:p>Example Supplies Ltd, 1 Example Street, Exampletown</text:p>
<text:h text:outline-level="1">Invoice 12345</text:h>
<text:p>Date: 2024-03-15. Payable within 14 days.</text:p>
<table:table table:name="Items">
<table:table-column table:number-columns-repeated="4"/>
{"".join(rows)}
</table:table>
<text:p>Thank you for your order.</text:p>
</office:text></office:body></office:document>
"""


def spreadsheet() -> str:
    """Return the invoice as a flat OpenDocument spreadsheet."""

    def cell(value: str | float, formula: str = "") -> str:
        if isinstance(value, str):
            kind = 'office:value-type="string"'
            text = f"<text:p>{value}</text:p>"
        else:
            kind = f'office:value-type="float" office:value="{value:g}"'
            text = f"<text:p>{value:g}</text:p>"
        if formula:
            kind += f' table:formula="of:={formula}"'
        return f"<table:table-cell {kind}>{text}</table:table-cell>"

    def row(*cells: str) -> str:
        return f"<table:table-row>{''.join(cells)}</table:table-row>"

    rows = [
        row(cell("Invoice 12345")),
        row(*map(cell, ("Item", "Quantity", "Price", "Amount"))),
    ]
    for number, (name, count, price) in enumerate(ROWS, start=len(rows) + 1):
        amount = cell(count * price, f"[.B{number}]*[.C{number}]")
        rows.append(row(cell(name), cell(count), cell(price), amount))
    last = len(rows)
    total = cell(TOTAL, f"SUM([.D3:.D{last}])")
    rows.append(row(cell("Total"), cell(""), cell(""), total))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<office:document {OFFICE_NAMESPACES} office:version="1.2"
 xmlns:of="urn:oasis:names:tc:opendocument:xmlns:of:1.2"
 office:mimetype="application/vnd.oasis.opendocument.spreadsheet">
<office:body><office:spreadsheet>
<table:table table:name="Invoice 12345">
<table:table-column table:number-columns-repeated="4"/>
{"".join(rows)}
</table:table>
</office:spreadsheet></office:body></office:document>
"""


def html_table(charset: str) -> str:
    """Return the invoice as the HTML that accounting software calls .xls."""
    rows = "".join(f"<tr><td>{n}</td><td>{c}</td><td>{p:.2f}</td><td>{c * p:.2f}</td></tr>\r\n" for n, c, p in ROWS)
    return (
        '<html xmlns:o="urn:schemas-microsoft-com:office:office"\r\n'
        'xmlns:x="urn:schemas-microsoft-com:office:excel"\r\n'
        'xmlns="http://www.w3.org/TR/REC-html40">\r\n'
        "<head>\r\n"
        f'<meta http-equiv="Content-Type" content="text/html; charset={charset}">\r\n'
        "<title>Invoice 12345</title>\r\n"
        "</head>\r\n<body>\r\n"
        '<table border="1">\r\n'
        '<tr><th colspan="4">Invoice 12345</th></tr>\r\n'
        "<tr><th>Item</th><th>Quantity</th><th>Price</th><th>Amount</th></tr>\r\n"
        f"{rows}"
        f'<tr><td colspan="3">Total</td><td>{TOTAL:.2f}</td></tr>\r\n'
        "</table>\r\n</body>\r\n</html>\r\n"
    )


def mhtml() -> bytes:
    """Return the invoice as the single file web page that Word writes."""
    boundary = "----=_NextPart_01DA76B4.5C1E7A90"
    folder = "file:///C:/3D2F6A10"
    page = html_table("us-ascii").replace("office:excel", "office:word")
    page = page.replace(
        "</title>\r\n",
        "</title>\r\n"
        "<meta name=ProgId content=Word.Document>\r\n"
        '<meta name=Generator content="Microsoft Word 15">\r\n'
        '<link rel=File-List href="invoice_files/filelist.xml">\r\n',
    )
    files = (
        '<xml xmlns:o="urn:schemas-microsoft-com:office:office">\r\n'
        ' <o:MainFile HRef="../invoice.htm"/>\r\n'
        ' <o:File HRef="filelist.xml"/>\r\n'
        "</xml>"
    )

    def part(name: str, kind: str, text: str) -> bytes:
        lines = text.encode("ascii").split(b"\r\n")
        body = b"\r\n".join(quopri.encodestring(line).replace(b"=\n", b"=\r\n") for line in lines)
        head = (
            f"--{boundary}\r\nContent-Location: {folder}/{name}\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n"
            f"Content-Type: {kind}\r\n\r\n"
        )
        return head.encode("ascii") + body + b"\r\n\r\n"

    return (
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: multipart/related; boundary="' + boundary.encode() + b'"\r\n'
        b"\r\n"
        b"This document is a Single File Web Page, also known as a Web Archive "
        b"file.  If you are seeing this message, your browser or editor doesn't "
        b"support Web Archive files.  Please download a browser that supports Web "
        b"Archive.\r\n"
        b"\r\n"
        + part("invoice.htm", 'text/html; charset="us-ascii"', page)
        + part("invoice_files/filelist.xml", 'text/xml; charset="utf-8"', files)
        + b"--"
        + boundary.encode()
        + b"--\r\n"
    )


def shortcuts() -> dict[str, bytes]:
    """Return Windows Internet shortcuts to the invoice, by file name."""
    plain = f"[InternetShortcut]\r\nURL={URL}\r\n"
    shell = "[{000214A0-0000-0000-C000-000000000046}]\r\nProp3=19,11\r\n"
    sections = (
        "[DEFAULT]\r\n"
        "BASEURL=https://billing.example.com/login\r\n"
        f"{shell}"
        "[InternetShortcut]\r\n"
        "IDList=\r\n"
        f"URL={URL}\r\n"
        "IconIndex=13\r\n"
        "HotKey=0\r\n"
        "IconFile=C:\\Windows\\System32\\SHELL32.dll\r\n"
        "Modified=20F06BA06D07BD014D\r\n"
        "[{A7AF692E-098D-4C08-A225-D433CA835ED0}]\r\n"
        "Prop5=3,0\r\n"
        "Prop9=19,0\r\n"
    )
    return {
        "shortcut.url": plain.encode("ascii"),
        "shortcut-bom.url": plain.encode("utf-8-sig"),
        "shortcut-utf16.url": b"\xff\xfe" + plain.encode("utf-16-le"),
        "shortcut-sections.url": sections.encode("ascii"),
    }


def soffice(profile: Path, *arguments: str) -> list[str]:
    """Return the command that runs LibreOffice with a profile of its own."""
    return [
        "soffice",
        f"-env:UserInstallation={profile.as_uri()}",
        "--headless",
        "--norestore",
        *arguments,
    ]


def convert(profile: Path, source: Path, extension: str, kind: str) -> bytes:
    """Return what LibreOffice makes of a document with one of its filters."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            soffice(profile, "--convert-to", f"{extension}:{kind}", "--outdir", folder, str(source)),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        result = Path(folder) / f"{source.stem}.{extension}"
        # soffice exits with 0 even when it wrote nothing, and warns of no Java even when all is well.
        if done.returncode or not result.exists():
            sys.exit(f"soffice made no {extension}:\n{done.stdout}")
        return result.read_bytes()


def encrypt(profile: Path, jobs: list[tuple[Path, Path, str]]) -> None:
    """Have LibreOffice save documents (source, target, filter) with a password."""
    pipe = f"make_samples_{profile.parent.name}"
    arguments = [word for source, target, kind in jobs for word in (source.as_uri(), target.as_uri(), kind)]
    office = subprocess.Popen(
        soffice(profile, f"--accept=pipe,name={pipe};urp;"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        subprocess.run(["/usr/bin/python3", "-I", "-c", ENCRYPT, pipe, PASSWORD, *arguments], check=True)
        office.wait(60)
    finally:
        office.kill()
        office.wait()
    for _, target, _ in jobs:
        if not target.read_bytes().startswith(OLE2):
            sys.exit(f"LibreOffice did not encrypt {target}")


def find(pattern: bytes, text: bytes) -> re.Match[bytes]:
    """Return where a pattern first matches, which it must."""
    match = re.search(pattern, text, re.DOTALL | re.MULTILINE)
    if match is None:
        sys.exit(f"The PDF has no {pattern.decode()}")
    return match


def update(pdf: bytes) -> bytes:
    """Return a PDF with a note added as a second revision after the first.

    The page is replaced by one that has the note; a cross-reference table of
    these two objects and a trailer pointing back to the first one follow.
    """
    trailer = pdf[pdf.rindex(b"trailer") :]
    size = int(find(rb"/Size (\d+)", trailer)[1])
    previous = int(find(rb"startxref\s+(\d+)", trailer)[1])
    kept = b"".join(find(entry, trailer)[0] for entry in (rb"/Root \d+ 0 R", rb"/Info \d+ 0 R", rb"/ID\s*\[.*?\]"))
    page = find(rb"^(\d+) 0 obj\s*<<(/Type/Page/.*?)>>\s*endobj", pdf)
    number = int(page[1])
    changed = b"%d 0 obj\n<<%s/Annots[%d 0 R]>>\nendobj\n" % (number, page[2], size)
    note = (
        b"%d 0 obj\n<</Type/Annot/Subtype/Text/Rect[500 780 520 800]/Name/Note"
        b"/Contents(Paid 2024-03-28)/F 4/P %d 0 R>>\nendobj\n" % (size, number)
    )
    start = len(pdf)
    return (
        pdf
        + changed
        + note
        + b"xref\n"
        + b"%d 1\n%010d 00000 n \n" % (number, start)
        + b"%d 1\n%010d 00000 n \n" % (size, start + len(changed))
        + b"trailer\n<</Size %d%s/Prev %d>>\n" % (size + 1, kept, previous)
        + b"startxref\n%d\n%%%%EOF\n" % (start + len(changed) + len(note))
    )


def make(folder: Path) -> None:
    """Write all samples into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work_name:
        work = Path(work_name)
        profile = work / "profile"
        text = work / "invoice.fodt"
        sheet = work / "invoice.fods"
        text.write_text(text_document(), encoding="utf-8")
        sheet.write_text(spreadsheet(), encoding="utf-8")

        for name, source, extension, kind in (
            ("invoice.pdf", text, "pdf", "writer_pdf_Export"),
            ("invoice.doc", text, "doc", "MS Word 97"),
            ("invoice.docx", text, "docx", "MS Word 2007 XML"),
            ("rtf.doc", text, "rtf", "Rich Text Format"),
            ("wordml.doc", text, "xml", "MS Word 2003 XML"),
            ("invoice.xls", sheet, "xls", "MS Excel 97"),
            ("invoice.xlsx", sheet, "xlsx", "Calc MS Excel 2007 XML"),
            ("spreadsheetml.xls", sheet, "xml", "MS Excel 2003 XML"),
        ):
            (folder / name).write_bytes(convert(profile, source, extension, kind))
        encrypt(
            profile,
            [
                (text, folder / "encrypted.docx", "MS Word 2007 XML"),
                (sheet, folder / "encrypted.xlsx", "Calc MS Excel 2007 XML"),
            ],
        )

    shutil.copyfile(folder / "invoice.xlsx", folder / "ooxml.xls")

    pdf = folder / "invoice.pdf"
    for options, name in (
        (["--linearize"], "linearized.pdf"),
        (["--encrypt", PASSWORD, PASSWORD, "256", "--"], "encrypted.pdf"),
    ):
        subprocess.run(["qpdf", str(pdf), *options, str(folder / name)], check=True)
    (folder / "updated.pdf").write_bytes(update(pdf.read_bytes()))

    (folder / "html.xls").write_bytes(html_table("windows-1252").encode("cp1252"))
    (folder / "html16.xls").write_bytes(b"\xff\xfe" + html_table("unicode").encode("utf-16-le"))
    (folder / "mhtml.doc").write_bytes(mhtml())
    for name, content in shortcuts().items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    make(target.resolve())
