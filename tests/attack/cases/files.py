"""A small file of each format that readers of text know."""

from __future__ import annotations

import gzip
import importlib
import io
import json
import zipfile
from collections.abc import Mapping

from pentad import Catalogue

TEXT = "A cat sat.\n\nWörter über Wörter, 猫.\n"

_WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_DOCX = f"""<?xml version="1.0" encoding="UTF-8"?><w:document {_WORD}><w:body>
<w:p><w:r><w:t xml:space="preserve">Prices in </w:t></w:r><w:r><w:t>Rome</w:t></w:r></w:p>
<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Fish</w:t><w:tab/><w:t>3</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>"""

_EPUB = {
    "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
    "content.opf": '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="one" href="one.xhtml" '
    'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="one"/></spine></package>',
    "one.xhtml": '<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>One</h1><p>A cat &amp; a mat.</p></body></html>',
}


def examples(catalogue: Catalogue) -> dict[str, bytes]:
    """Return a file of each ending: those that core reads itself, those that plugins give as examples, and archives."""
    record = {"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]}
    lines = "".join(json.dumps(line) + "\n" for line in ({"text": TEXT}, record, {"prompt": "a", "completion": "b"}))
    own = {
        ".txt": TEXT.encode(),
        ".utf16.txt": TEXT.encode("utf-16"),
        ".jsonl": lines.encode(),
        ".csv": f'id,text\n1,"{TEXT}"\n2,b\n'.encode(),
        ".tsv": b"id\ttext\n1\ta\n2\tb\n",
        ".txt.gz": gzip.compress(TEXT.encode(), mtime=0),
        ".jsonl.gz": gzip.compress(lines.encode(), mtime=0),
        ".docx": _archive({"word/document.xml": _DOCX}),
        ".epub": _archive(_EPUB),
        ".pdf": _pdf("A cat sat."),
    }
    for offer in catalogue.offers("reader"):
        example = offer.record.example
        if example:
            module, _, name = example.partition(":") if isinstance(example, str) else ("", "", "")
            make = getattr(importlib.import_module(module), name) if module else example
            own[f"{'.txt' if offer.record.decompressor else ''}{offer.record.suffix}"] = make()
    return own


def _archive(parts: Mapping[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def _pdf(text: str) -> bytes:
    """Return a PDF file of one page."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        "/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    return body + f"{end}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n".encode()
