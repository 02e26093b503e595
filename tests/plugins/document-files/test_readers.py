"""Word, PDF and EPUB files by hand: what is text in them, what is not, and what is said of damaged ones."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from pentad import Catalogue, Recipe, plan
from pentad.data.corpus import open_corpus
from pentad.testing import raises_code
from pentad_document_files.epub import text_of_html

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
BODY = f"""<?xml version="1.0" encoding="UTF-8"?><w:document {WORD}><w:body>
<w:p><w:pPr/><w:r><w:t xml:space="preserve">Prices in </w:t></w:r><w:r><w:t>Málaga</w:t></w:r></w:p>
<w:p/>
<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Fish</w:t><w:tab/><w:t>3</w:t></w:r></w:p></w:tc></w:tr></w:tbl>
<w:p><w:del><w:r><w:t>gone</w:t></w:r></w:del><w:ins><w:r><w:t>one</w:t><w:br/><w:t>two</w:t></w:r></w:ins></w:p>
</w:body></w:document>"""

CONTAINER = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf"><manifest>
<item id="two" href="text/chapter%202.xhtml" media-type="application/xhtml+xml"/>
<item id="one" href="text/one.xhtml" media-type="application/xhtml+xml"/>
<item id="cover" href="cover.png" media-type="image/png"/>
</manifest><spine><itemref idref="cover"/><itemref idref="one"/><itemref idref="two"/></spine></package>"""


def archive(path: Path, **parts: str | bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return path


def pdf(path: Path, *pages: str) -> Path:
    """Write a PDF file with a line on each page."""
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(len(pages)))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>"]
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    for number, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET" if text else ""
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {4 + 2 * number} 0 R "
            f"/Resources << /Font << /F1 {font} >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    file = io.BytesIO()
    file.write(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(file.tell())
        file.write(f"{number} 0 obj\n{content}\nendobj\n".encode())
    start = file.tell()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    file.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode())
    file.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    path.write_bytes(file.getvalue())
    return path


def texts(*paths: Path) -> list[str]:
    return [piece.text for piece in open_corpus([str(path) for path in paths], Catalogue()).pieces()]


def test_word_files(tmp_path):
    path = archive(tmp_path / "a.docx", **{"word/document.xml": BODY})
    assert texts(path) == ["Prices in Málaga\n\nFish\t3\n\none\ntwo\n"]


def test_e_books(tmp_path):
    parts = {
        "META-INF/container.xml": CONTAINER,
        "OEBPS/content.opf": PACKAGE,
        "OEBPS/cover.png": b"\x89PNG",
        "OEBPS/text/one.xhtml": "<html><head><title>No</title></head><body><h1>One</h1><p>It\n was &amp; is.</p></body></html>",
        "OEBPS/text/chapter 2.xhtml": "<html><body><p>Two<br/>lines</p><script>no</script></body></html>",
    }
    assert texts(archive(tmp_path / "a.epub", **parts)) == ["One\n\nIt was & is.\n", "Two\nlines\n"]
    locked = archive(tmp_path / "b.epub", **parts, **{"META-INF/encryption.xml": "<a/>", "META-INF/rights.xml": "<a/>"})
    with raises_code("document-protected"):
        texts(locked)


def test_text_of_pages():
    assert text_of_html("<p>a</p>\n\n<ul><li>b <b>c</b></li><li/></ul><pre>d\n  e</pre><title/>f") == "a\n\nb c\n\nd\ne\n\nf\n"
    assert text_of_html("<html><style>p {}</style><svg><text>x</text></svg></html>") == ""


def test_pdf_files(tmp_path):
    assert texts(pdf(tmp_path / "a.pdf", "Page one.", "", "Page three.")) == ["Page one.\n\nPage three.\n"]
    with raises_code("document-without-text"):
        texts(pdf(tmp_path / "scanned.pdf", "", ""))


@pytest.mark.parametrize("ending", ["docx", "epub", "pdf"])
@pytest.mark.parametrize("content", [b"", b"plain text", b"PK\x03\x04 no archive", b"%PDF-1.4 no more"])
def test_what_is_no_such_file(tmp_path, ending, content):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(content)
    with raises_code("document-format"):
        texts(path)


@pytest.mark.parametrize(("ending", "part"), [("docx", "word/document.xml"), ("epub", "META-INF/container.xml")])
def test_damaged_archives(tmp_path, ending, part, monkeypatch):
    for content in ({}, {part: "<no XML"}):
        with raises_code("document-format"):
            texts(archive(tmp_path / f"a.{ending}", **content))
    monkeypatch.setattr("pentad_document_files.archive.MOST_BYTES", 100)
    with raises_code("document-format"):
        texts(archive(tmp_path / f"a.{ending}", **{part: "<a>" + "b" * 100 + "</a>"}))


def test_a_folder_reads_them_and_skips_the_bad_ones(tmp_path):
    archive(tmp_path / "a.docx", **{"word/document.xml": BODY})
    (tmp_path / "b.pdf").write_bytes(b"damaged")
    pdf(tmp_path / "c.pdf", "A page.")
    corpus = open_corpus([str(tmp_path)], Catalogue())
    assert [piece.text[-8:] for piece in corpus.pieces()] == ["one\ntwo\n", "A page.\n"]
    assert "b.pdf" in corpus.notes()[0]


def test_a_word_file_is_trained_on(tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    paragraphs = "".join(f"<w:p><w:r><w:t>Paragraph number {number}.</w:t></w:r></w:p>" for number in range(40))
    body = f"<w:document {WORD}><w:body>{paragraphs}</w:body></w:document>"
    path = archive(tmp_path / "a.docx", **{"word/document.xml": body})
    stages = {"tokenizer": "byte", "builder": "next-token", "model": "gpt", "optimizer": "adamw", "sampler": "greedy"}
    said = plan(Recipe(**stages, data=str(path), training={"steps": 1}, machine={"device": "cpu", "threads": 1}))
    assert said.documents == 1 and said.train_bytes > 500
