"""Figures as files: whole SVG documents that need no page around them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

import pytest

from pentad_compare.records import Comparison
from pentad_compare.report.page import render, write_figures

SVG = "{http://www.w3.org/2000/svg}"


def test_every_figure_of_the_page_is_a_file(cases: Mapping[str, Comparison], tmp_path: Path) -> None:
    write_figures(cases["usual"], tmp_path / "new" / "figures")
    names = {path.stem for path in (tmp_path / "new" / "figures").iterdir()}
    assert names == set(re.findall(r'id="([\w-]+)-wide-title"', render(cases["usual"])))


@pytest.mark.parametrize("name", ["usual", "apart", "many", "samplers", "tokenizers", "nothing"])
def test_a_file_is_a_document_with_its_own_style(cases: Mapping[str, Comparison], tmp_path: Path, name: str) -> None:
    write_figures(cases[name], tmp_path)
    for path in tmp_path.iterdir():
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert root.tag == f"{SVG}svg" and float(root.attrib["height"]) > 0
        style = root.find(f"{SVG}style")
        assert style is not None and style.text is not None
        assert "var(" not in style.text and "--" not in style.text, "drawing programs know no variables"
        assert re.search(r"\.s0\.mark \{ fill: #0072b2", style.text)


def test_every_class_of_a_figure_has_a_rule(cases: Mapping[str, Comparison], tmp_path: Path) -> None:
    write_figures(cases["usual"], tmp_path)
    for path in tmp_path.iterdir():
        text = path.read_text(encoding="utf-8")
        used = {word for words in re.findall(r'class="([^"]+)"', text) for word in words.split()}
        ruled = set(re.findall(r"\.([a-z]\w*)", text[: text.index("</style>")]))
        assert used - ruled <= {"wide", "label"}, path.name
