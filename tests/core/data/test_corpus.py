"""What `--data` may name, and what is said when it names nothing."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import types
from dataclasses import dataclass

import pytest

from pentad import Corpus, EngineError, Reader, hookimpl, option
from pentad.data.corpus import keep_pipes, named_from_anywhere, open_corpus
from pentad.registry.catalogue import Catalogue
from pentad.testing import raises_code


def poems():
    yield "a rose"
    yield "is a \ud800 rose"


def no_strings():
    yield b"bytes"


def broken():
    yield "one"
    raise RuntimeError("no network")


def shouting(file):
    for line in file:
        yield line.decode().upper()


class Offers:
    @hookimpl
    def engine_corpora(self):
        return [
            Corpus(name=name, summary="", factory=factory)
            for name, factory in (("poems", poems), ("no-strings", no_strings), ("broken", broken))
        ]

    @hookimpl
    def engine_readers(self):
        return [
            Reader(suffix=".loud", summary="", factory=shouting),
            Reader(suffix=".rot", summary="", factory=lambda file: file, decompressor=True),
        ]


class FakeEntryPoint:
    distribution, version = "fake", "1.0"

    def load(self):
        return Offers()


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(entry_points=[FakeEntryPoint()])


@pytest.fixture(autouse=True)
def empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def texts(data, catalogue) -> list[str]:
    found, text = [], ""
    for piece in open_corpus(data, catalogue).pieces():
        text += piece.text
        if piece.ends_document:
            found.append(text)
            text = ""
    assert text == ""
    return found


def refused(data, catalogue, code) -> EngineError:
    with raises_code(code) as caught:
        texts(data, catalogue)
    assert caught.value.hint
    return caught.value


def test_an_empty_word_is_not_the_current_folder(catalogue, tmp_path):
    (tmp_path / "a.txt").write_text("text")
    refused([""], catalogue, "empty-word")
    assert texts(["."], catalogue) == ["text"]


def test_what_is_named_from_anywhere_means_the_same_there(catalogue, tmp_path, monkeypatch):
    place = tmp_path / "a [1]"
    (place / "below").mkdir(parents=True)
    for name in ("one.txt", "below/two.txt", "[x].txt"):
        (place / name).write_text(name)
    monkeypatch.chdir(place)
    monkeypatch.setenv("HOME", str(place))
    data = ["poems", "one.txt", "./below", "b*/*.txt", "~/one.txt", "[x].txt", "below/../one.txt", "fake:poems", "gone.txt"]
    named = named_from_anywhere(data)
    assert named[0] == "poems" and named[7:] == ("fake:poems", "gone.txt")
    assert named[1:3] == (str(place / "one.txt"), str(place / "below"))
    here = [texts([source], catalogue) for source in data[:7]]
    monkeypatch.chdir(tmp_path)
    assert [texts([source], catalogue) for source in named[:7]] == here
    assert named_from_anywhere(named) == named


@pytest.mark.skipif(sys.platform != "linux", reason="names of files that are no text")
def test_a_folder_whose_name_is_no_text_stays_out_of_recipes(tmp_path, monkeypatch):
    place = os.path.join(os.fsencode(tmp_path), b"\xff")
    os.mkdir(place)
    monkeypatch.chdir(os.fsdecode(place))
    (tmp_path / os.fsdecode(place) / "one.txt").write_text("one")
    assert named_from_anywhere(["one.txt", "*.txt"]) == ("one.txt", "*.txt")


def test_an_unknown_home_is_a_name_like_any_other(catalogue, tmp_path):
    assert "~nosuchuser/x.txt" in refused(["~nosuchuser/x.txt"], catalogue, "data-not-found").message
    refused(["a\0b"], catalogue, "data-not-found")


def test_names_that_the_locale_cannot_spell(tmp_path):
    (tmp_path / "é.txt").write_text("text")
    script = """
from pentad import UsageError
from pentad.registry.catalogue import Catalogue
from pentad.data.corpus import open_corpus
try:
    open_corpus(["\\xe9.txt"], Catalogue(entry_points=[]))
except UsageError as error:
    print(ascii(error.message), error.hint)
"""
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = {**os.environ, **locale}
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert "\\xe9.txt needs names of files in UTF-8" in done.stdout and "PYTHONUTF8=1" in done.stdout, done.stderr


def test_a_named_corpus_streams_and_restarts(catalogue):
    corpus = open_corpus(["poems"], catalogue)
    pieces = list(corpus.pieces())
    assert pieces == list(corpus.pieces())
    assert [piece[:2] for piece in pieces] == [("a rose", True), ("is a \ufffd rose", True)]
    assert texts(["fake:poems"], catalogue) == ["a rose", "is a \ufffd rose"]


def test_the_pieces_of_a_corpus_end_where_the_factory_fails(catalogue):
    with raises_code("corpus-unreadable"):
        texts(["broken"], catalogue)
    with raises_code("plugin-contract"):
        texts(["no-strings"], catalogue)


def test_a_name_that_is_also_a_path_is_refused(catalogue, tmp_path):
    (tmp_path / "poems").mkdir()
    (tmp_path / "poems/a.txt").write_text("mine")
    assert refused(["poems"], catalogue, "ambiguous-name").hint == "Use ./poems or fake:poems."
    assert texts(["./poems"], catalogue) == ["mine"]
    assert texts(["fake:poems"], catalogue) == ["a rose", "is a \ufffd rose"]


def test_folders_are_read_sorted_below_without_hidden_and_unknown_files(catalogue, tmp_path):
    for name in ("b/z.txt", "b/a.md", "c.TXT", ".git/x.txt", ".hidden.txt", "image.png", "a.loud"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "data/round").symlink_to(tmp_path / "data")
    assert texts(["data"], catalogue) == ["A.LOUD", "c.TXT", "b/a.md", "b/z.txt"]


def test_globs_match_files_and_folders(catalogue, tmp_path):
    for name in ("b1.txt", "b2.txt", "c.txt", "b3/d.txt", "b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert texts(["b*"], catalogue) == ["b1.txt", "b2.txt", "b3/d.txt"]
    assert texts(["**/d.txt"], catalogue) == ["b3/d.txt"]
    assert "found no match" in refused(["q*"], catalogue, "data-without-files").message
    assert "found 1 binary" in refused(["*.p*"], catalogue, "data-without-files").message
    assert texts(["*.png"], catalogue) == ["b.png"]  # a pattern that spells the ending means it


def test_a_path_with_magic_characters_is_a_path(catalogue, tmp_path):
    (tmp_path / "[a].txt").write_text("brackets")
    assert texts(["[a].txt"], catalogue) == ["brackets"]


def test_a_file_named_twice_is_read_once(catalogue, tmp_path):
    (tmp_path / "a.txt").write_text("once")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/link.txt").symlink_to(tmp_path / "a.txt")
    data = ["a.txt", "./a.txt", "*.txt", ".", "b", "b/link.txt", str(tmp_path), "fake:poems", "poems"]
    assert texts(data, catalogue) == ["once", "a rose", "is a \ufffd rose"]
    assert texts(data[3::-1], catalogue) == texts(["b", "."], catalogue) == ["once"]


def test_a_list_with_commas(catalogue, tmp_path, monkeypatch):
    for name in ("a.txt", "b.txt", "c,d.txt"):
        (tmp_path / name).write_text(name)
    assert texts(["a.txt,b.txt"], catalogue) == texts(["a.txt, b.txt"], catalogue) == ["a.txt", "b.txt"]
    assert texts(["c,d.txt"], catalogue) == ["c,d.txt"]
    assert texts(["b.*,poems"], catalogue) == ["b.txt", "a rose", "is a \ufffd rose"]
    assert "--data ONE --data OTHER" in refused(["a.txt,gone.txt"], catalogue, "data-not-found").hint
    assert [piece.source for piece in open_corpus(["a.txt,b.txt", "c,d.txt"], catalogue).pieces()] == [0, 1, 2]
    named = named_from_anywhere(["a.txt, b.txt", "c,d.txt", "a.txt,poems"])
    monkeypatch.chdir("/")
    assert named == (*(str(tmp_path / name) for name in ("a.txt", "b.txt", "c,d.txt", "a.txt")), "poems")


def test_what_is_piped_in_is_kept(catalogue, tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))

    def kept(data):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        return keep_pipes(["poems", "-"])

    assert texts(kept(b"from a pipe"), catalogue)[2:] == ["from a pipe"]
    assert kept(b"from a pipe") == kept(b"from a pipe") != kept(b"from another")
    with raises_code("pipe-empty"):
        kept(b"")
    assert keep_pipes(["a.txt"]) == ("a.txt",)
    assert len(list((tmp_path / "cache/pipes").iterdir())) == 2
    monkeypatch.setenv("WORLD_SIZE", "2")
    with raises_code("pipe-in-processes"):
        kept(b"from a pipe")


def test_compressed_files(catalogue, tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"packed") + gzip.compress(b" twice"))
    (tmp_path / "b.JSONL.GZ").write_bytes(gzip.compress(json.dumps({"text": "line"}).encode()))
    (tmp_path / "c.txt.rot").write_bytes(b"plain")
    (tmp_path / "d.loud.gz").write_bytes(gzip.compress(b"loud"))
    assert texts(["."], catalogue) == ["packed twice", "line", "plain", "LOUD"]


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"no gzip", lambda data: data[:20] + b"?" + data[21:]])
def test_damaged_compression_names_the_file(catalogue, tmp_path, damage):
    (tmp_path / "a.txt.gz").write_bytes(damage(gzip.compress(bytes(range(32, 127)) * 9)))
    error = refused(["a.txt.gz"], catalogue, "file-unreadable")
    assert "a.txt.gz" in error.message
    assert "truncated, damaged, or no .txt.gz file" in error.hint


def test_nothing_of_that_name(catalogue, tmp_path):
    (tmp_path / "shakespeare.txt").write_text("a")
    assert refused(["poem"], catalogue, "data-not-found").hint == "Did you mean poems?"
    assert refused(["shakespear.txt"], catalogue, "data-not-found").hint == "Did you mean shakespeare.txt?"
    assert "broken, no-strings, poems" in refused(["zzz"], catalogue, "data-not-found").hint
    refused([], catalogue, "data-missing")


@pytest.mark.parametrize("name", ["script.py", "page.html", "table.csv", "notes", "a.b.c", "x.zz", "log.gz.1", "UPPER.LOG"])
def test_a_named_file_is_text_whatever_its_name(catalogue, tmp_path, name):
    (tmp_path / name).write_text("text")
    assert texts([name], catalogue) == texts([str(tmp_path / name)], catalogue) == ["text"]
    refused([name, "gone.txt"], catalogue, "data-not-found")


def test_a_named_file_that_is_no_text_is_refused(catalogue, tmp_path):
    (tmp_path / "a.bin").write_bytes(bytes(range(256)))
    assert "a.bin must be UTF-8 text; found a NUL byte at byte 0." in refused(["a.bin"], catalogue, "text-not-utf8").message
    (tmp_path / "a.txt").write_text("text")
    refused(["a.bin", "."], catalogue, "text-not-utf8")


@pytest.mark.parametrize(
    ("name", "data", "code"), [(".parquet", "a.parquet", "unknown-suffix"), ("wiki", "wiki", "data-not-found")]
)
def test_what_is_missing_says_what_to_install(catalogue, tmp_path, monkeypatch, name, data, code):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    distribution = f"pentad-{name.lstrip('.')}"
    monkeypatch.setattr("pentad.registry.catalogue.bundled", lambda: {distribution})
    assert refused([data], catalogue, code).hint == f"Install it with: pip install {distribution}"


def test_things_that_are_no_files(catalogue, tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "gone.txt").symlink_to("nowhere")
    assert "a pipe or a device" in refused(["pipe.txt"], catalogue, "data-not-a-file").message
    assert "a broken link" in refused(["gone.txt"], catalogue, "data-not-a-file").message
    (tmp_path / "empty").mkdir()
    assert "found no file" in refused(["empty"], catalogue, "data-without-files").message


def test_a_file_that_goes_away_or_cannot_be_opened(catalogue, tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("a")
    corpus = open_corpus(["a.txt"], catalogue)
    (tmp_path / "a.txt").unlink()
    with raises_code("file-unreadable"):
        list(corpus.pieces())


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(catalogue, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "a.txt").chmod(0)
    refused(["a.txt"], catalogue, "file-unreadable")


def test_opening_a_corpus_imports_no_torch(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    code = (
        "import sys; from pentad.registry.catalogue import Catalogue; from pentad.data.corpus import open_corpus;"
        "corpus = open_corpus(['a.txt'], Catalogue()); opened = [name for name in ('torch', 'numpy') if name in sys.modules];"
        "from pentad.data.split import split_corpus; split_corpus(corpus, 0);"  # by numpy's arrays
        "print(opened, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split("\n")[0] == "[] False"


@dataclass(frozen=True, kw_only=True)
class Words:
    documents: int = option(2, "How many.", ge=1)
    word: str = option("word", "Which.")


def words(options):
    return [f"{options.word} {number}\n" for number in range(options.documents)]


def marked(file, options):
    yield f"{options.word}: {file.read().decode()}"


@pytest.fixture
def with_options() -> Catalogue:
    found = Catalogue(entry_points=[])
    offers = types.SimpleNamespace(
        engine_corpora=hookimpl(lambda: [Corpus(name="words", summary="", factory=words, options=Words)]),
        engine_readers=hookimpl(lambda: [Reader(suffix=".mark", summary="", factory=marked, options=Words)]),
    )
    found._load("acme", "1", lambda: offers)
    assert not found.problems
    return found


def test_options_stand_behind_a_corpus(with_options):
    assert texts(["words"], with_options) == ["word 0\n", "word 1\n"]
    assert texts(["words,documents=1,word=x", "acme:words,documents=1"], with_options) == ["x 0\n", "word 0\n"]
    names = [source.name for source in open_corpus(["words,word=y,documents=3"], with_options).sources]
    assert names == ["acme:words,documents=3,word=y"]


def test_options_stand_behind_a_file(with_options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.mark", "b, c=d.mark"):
        (tmp_path / name).write_text("said")
    assert texts(["a.mark,word=he"], with_options) == ["he: said"]
    assert texts(["*.mark,word=she"], with_options) == ["she: said", "she: said"]
    assert texts(["b, c=d.mark"], with_options) == ["word: said"]  # a name that is there is a file
    assert named_from_anywhere(["a.mark,word=he", "words,word=x"]) == (f"{tmp_path}/a.mark,word=he", "words,word=x")


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ("words,documents=0", "option-bounds"),
        ("words,documents=many", "option-type"),
        ("words,length=3", "unknown-option"),
        ("a.txt,column=text", "unknown-option"),
        ("wards,documents=3", "data-not-found"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(argument, code, with_options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("text")
    error = refused([argument], with_options, code)
    assert "--words.documents" not in error.message
