"""The default corpus: the published text, split as nanoGPT splits it, and a clear refusal where the file is damaged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pentad_shakespeare.corpus as corpus
from pentad.data.corpus import open_corpus
from pentad.data.split import Part, split_corpus
from pentad.registry.catalogue import Catalogue
from pentad.testing import CorpusConformance, raises_code


def text_of(part: Part) -> str:
    return "".join(piece.text for piece in part.pieces())


def test_the_held_out_part_is_nanogpts_last_tenth():
    split = split_corpus(open_corpus(["shakespeare"], Catalogue()), 0.1)
    (text,) = corpus.documents()
    assert len(text) == corpus.SIZE
    assert split.rule == "tails"
    assert text_of(split.train) == text[: int(0.9 * len(text))]
    assert text_of(split.held_out) == text[int(0.9 * len(text)) :]
    assert text.startswith("First Citizen:\n")


@pytest.mark.parametrize("packed", [None, b"no xz", "shorter"])
def test_a_damaged_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bytes | str | None):
    import lzma

    if packed is not None:
        data = lzma.compress(b"To be, or not to be") if packed == "shorter" else packed
        (tmp_path / "tinyshakespeare.txt.xz").write_bytes(data)
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    with raises_code("package-damaged"):
        list(corpus.documents())


def test_listing_it_reads_no_text():
    found = "Catalogue().find('corpus', 'shakespeare').name"
    code = f"import sys; from pentad.registry.catalogue import Catalogue; print({found}, 'lzma' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "shakespeare False\n"


class TestShakespeare(CorpusConformance):
    name = "shakespeare"
