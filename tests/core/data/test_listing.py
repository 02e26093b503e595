"""Folders: what is taken, what is left out and said, and files that cannot be read."""

from __future__ import annotations

import os
import sys
import tracemalloc

import pytest

from pentad.config.tables import DataOptions
from pentad.data import listing
from pentad.data.corpus import OpenCorpus, open_corpus
from pentad.registry.catalogue import Catalogue
from pentad.testing import raises_code

NOTHING = Catalogue(entry_points=[])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(**files: str | bytes) -> None:
    for name, content in files.items():
        place, _, ending = name.rpartition("_")
        path = f"{place.replace('__', '/')}.{ending}" if place else ending
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())


def opened(*data: str, **options) -> OpenCorpus:
    return open_corpus(data or ["."], NOTHING, DataOptions(**options))


def texts(corpus: OpenCorpus) -> list[str]:
    return [piece.text for piece in corpus.pieces()]


def test_text_and_sources_are_taken_and_the_rest_is_said():
    write(
        a_md="1", b_py="2", c_rst="3", d_log="x", e_docx="x", f_png="x", g_mp3="x", h_log="x", README="4", data="x", i_json="{}"
    )
    corpus = opened()
    assert texts(corpus) == ["4", "1", "2", "3"]
    assert corpus.notes() == (
        'left out: 2 .log, 2 binary, 1 .docx, 1 .json, 1 without an ending; --include "*.log" takes more',
    )


def test_include_and_exclude():
    write(a_md="1", b_log="2", c_log="3", tests__d_md="4", src__tests__e_py="5", src__f_py="6", src__g_log="7")
    assert texts(opened(include=("*.log",))) == ["1", "2", "3", "6", "7", "5", "4"]
    assert texts(opened(include=("b.*,src/g*",))) == ["1", "2", "6", "7", "5", "4"]
    assert texts(opened(exclude=("tests",))) == ["1", "6"]
    assert texts(opened(exclude=("src/tests/", "*.md"))) == ["6"]
    assert texts(opened("*", "b.log", include=("*.log",), exclude=("c.*", "src", "tests"))) == ["1", "2"]
    assert opened(include=("*",)).notes() == ()


def test_a_glob_that_spells_the_ending_takes_it():
    write(a_log="1", b_log="2", c_txt="3")
    assert texts(opened("*.log")) == ["1", "2"]
    assert texts(opened("*")) == ["3"]
    assert texts(opened("*.log", exclude=("a*",))) == ["2"]


def test_tables_are_taken_where_a_column_is_named():
    write(a_csv="text\none\n", b_txt="two")
    assert texts(opened(text_key="text")) == ["one", "two"]
    assert texts(opened()) == ["two"]
    assert texts(opened("a.csv")) == ["text\none\n"]


@pytest.mark.parametrize("most", [3, 1 << 20])
def test_one_bad_file_never_stops_a_folder(monkeypatch, most):
    monkeypatch.setattr(listing, "KEPT_CHARACTERS", most)
    write(
        a_txt="good one",
        b_txt=b"bad \xe9",
        c_jsonl='{"text": "fine"}\nno JSON\n',
        d_txt="good two",
        e_txt=b"\0" * 9,
        f_txt=b"\xff",
    )
    corpus = opened()
    assert texts(corpus) == texts(corpus) == ["good one", "good two"]
    first, second, third, more = corpus.notes()
    assert "b.txt must be UTF-8 text; found the byte 0xe9 at byte 4. (--strict refuses it)" in first
    assert "c.jsonl, line 2," in second and "e.txt" in third and "1 more" in more


def test_strict_refuses_the_first_bad_file():
    write(a_txt="good", b_txt=b"bad \xe9")
    with raises_code("text-not-utf8"):
        texts(opened(strict=True))


def test_only_bad_files_are_an_error_of_the_first():
    write(b_txt=b"bad \xe9", c_jsonl="no JSON")
    with raises_code("text-not-utf8"):
        texts(opened())


def test_a_file_that_goes_away_is_skipped():
    write(a_txt="stays", b_txt="goes")
    corpus = opened()
    os.unlink("b.txt")
    assert texts(corpus) == ["stays"] and "b.txt" in corpus.notes()[0]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_opened_is_skipped():
    write(a_txt="1", below__b_txt="2")
    os.chmod("below", 0)
    corpus = opened()
    os.chmod("below", 0o700)
    assert texts(corpus) == ["1"] and "below" in corpus.notes()[0]


def test_many_files_are_listed_in_little_memory():
    os.mkdir("many")
    for number in range(3000):
        os.close(os.open(f"many/document-{number:07}.txt", os.O_CREAT))
    opened("many")  # imports
    tracemalloc.start()
    corpus = opened("many")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 3000 * 40 and texts(corpus) == []
