"""Vocabularies in tiktoken's format: ids equal tiktoken's own, nothing is downloaded, nothing incomplete is taken."""

from __future__ import annotations

import base64
import hashlib
import itertools
import shutil

import pytest
import tiktoken
import tiktoken.registry
import tiktoken_ext.openai_public
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pentad import END_OF_TEXT
from pentad.testing import TokenizerConformance, raises_code
from pentad.testing.stages.tokenizer import NASTY, sample_texts
from pentad_bpe.encoder import Encoder
from pentad_bpe.options import TiktokenOptions
from pentad_bpe.published import Tiktoken
from pentad_bpe.ranks import encoding, parse, written
from pentad_bpe.ranks import example as example_file
from pentad_gpt2.vocabulary import ranks as gpt2_ranks

NAMES = ("r50k_base", "p50k_base", "p50k_edit", "cl100k_base", "o200k_base", "o200k_harmony")
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n\r\t'sdl19ab\u3000"))


class TestTiktoken(TokenizerConformance):
    name = "tiktoken"


def opened(**options) -> Tiktoken:
    tokenizer = Tiktoken(TiktokenOptions(**options))
    tokenizer.train(iter(()))
    return tokenizer


@pytest.fixture(scope="module")
def r50k_file(tmp_path_factory):
    """The published file: GPT-2's merges, which pentad-gpt2 has, written in tiktoken's format."""
    path = tmp_path_factory.mktemp("r50k") / "r50k_base.tiktoken"
    path.write_bytes(written(gpt2_ranks()))
    return path


@pytest.fixture(scope="module")
def r50k(r50k_file):
    return opened(encoding="r50k_base", path=str(r50k_file))


@pytest.fixture(scope="module")
def theirs(r50k_file):
    """tiktoken's own encoding, which finds the file in its cache."""
    folder = r50k_file.parent / "cache"
    folder.mkdir()
    address = "https://openaipublic.blob.core.windows.net/encodings/r50k_base.tiktoken"
    shutil.copy(r50k_file, folder / hashlib.sha1(address.encode()).hexdigest())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
        patch.setattr(tiktoken.registry, "ENCODINGS", {})
        yield tiktoken.get_encoding("r50k_base")


@settings(max_examples=100, deadline=None)
@given(TEXT)
@example("a <|endoftext|> b \n\n  ")
def test_ids_are_those_of_tiktoken(r50k, theirs, text):
    ids = r50k.encode(text).tolist()
    assert ids == theirs.encode_ordinary(text)
    assert r50k.decode(ids) == text


def test_the_file_that_tiktoken_keeps_is_found(r50k, theirs, r50k_file, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(r50k_file.parent / "cache"))
    found = opened(encoding="r50k_base")
    assert found.encode(sample_texts()[0]).tolist() == theirs.encode_ordinary(sample_texts()[0])
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(r50k_file.parent))  # by its name
    assert opened(encoding="r50k_base").source_fingerprint() == found.source_fingerprint()
    assert (found.vocab_size, found.special_tokens) == (50257, {END_OF_TEXT: 50256})


def test_a_file_that_is_not_there_is_not_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("socket.socket", None)
    with raises_code("tokenizer-file-missing") as caught:
        opened(encoding="o200k_base")
    assert str(tmp_path) in caught.value.message
    assert "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken" in caught.value.hint
    with raises_code("tokenizer-file-missing"):
        opened()
    with raises_code("tokenizer-file-missing"):
        opened(path=str(tmp_path / "nope.tiktoken"))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_of_an_encoding_is_what_tiktoken_knows(name, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        tiktoken_ext.openai_public, "load_tiktoken_bpe", lambda file, expected_hash: asked.update({file: expected_hash}) or {}
    )
    known = tiktoken_ext.openai_public.ENCODING_CONSTRUCTORS[name]()
    mine = encoding(name)
    assert asked == {mine.address: mine.sha256}
    assert set(mine.special.values()) == set(known["special_tokens"].values())
    assert {spelling: known["special_tokens"][spelling] for spelling in mine.special} == mine.special


@pytest.fixture(scope="module", params=["cl100k_base", "o200k_base"])
def later(request):
    """tiktoken's encoding with a few ranks, as the published files are not at hand, and this package's pattern with them."""
    pairs = map(bytes, itertools.product(b" \n\r\tasS!1'/", repeat=2))
    ranks = {token: rank for rank, token in enumerate([*(bytes([byte]) for byte in range(256)), *pairs])}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", lambda file, expected_hash: ranks)
        made = tiktoken_ext.openai_public.ENCODING_CONSTRUCTORS[request.param]()
    theirs = tiktoken.Encoding("theirs", pat_str=made["pat_str"], mergeable_ranks=ranks, special_tokens={})
    return theirs, Encoder(encoding(request.param).pattern, ranks, len(ranks))


@settings(max_examples=100, deadline=None)
@given(text=TEXT)
@example(text="a\n  ")
@example(text="He'sS  aSas\r\n\r\n 111111 saSsas!!\n/ ")
def test_words_of_later_encodings_are_cut_as_tiktoken_cuts_them(later, text):
    theirs, mine = later
    assert mine.encode(text).tolist() == theirs.encode_ordinary(text)


def test_a_file_of_ones_own(tmp_path):
    tokenizer = opened(path=example_file(tmp_path)["path"])
    assert tokenizer.vocab_size == 265
    assert tokenizer.special_tokens == {END_OF_TEXT: 264}
    for text in NASTY:
        assert tokenizer.decode(tokenizer.encode(text)) == text
    by_digit = opened(path=example_file(tmp_path)["path"], max_digits=1, split_pattern="none")
    assert by_digit.encode(" number").tolist() == [263]


def test_ids_that_are_left_out_stand_for_nothing(tmp_path):
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"ab": 300}
    (tmp_path / "gaps.tiktoken").write_bytes(written(ranks))
    tokenizer = opened(path=str(tmp_path / "gaps.tiktoken"))
    assert tokenizer.encode("abc").tolist() == [300, 99]
    assert (tokenizer.vocab_size, tokenizer.token_bytes(280)) == (302, b"")


def test_another_file_than_the_encodings_is_refused(tmp_path):
    with raises_code("tokenizer-file-invalid"):
        opened(encoding="cl100k_base", path=example_file(tmp_path)["path"])


def lines(**more):
    ranks = [f"{base64.b64encode(bytes([byte])).decode()} {byte}" for byte in range(256)]
    return [*ranks, *more.get("extra", [])]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not base64 at all",
        "\n".join(lines()[1:]),
        "\n".join(lines(extra=["YWI= 5"])),
        "\n".join(lines(extra=["YWI= 256", "YWI= 257"])),
        "\n".join(lines(extra=["YWI= -1"])),
        "\n".join(lines(extra=["YWI= 9999999999"])),
        "\n".join(lines(extra=["YWI="])),
        "\n".join(lines(extra=["Y?I= 256"])),
        '{"model": {}}',
    ],
)
def test_incomplete_files_are_refused(tmp_path, content):
    (tmp_path / "bad.tiktoken").write_text(content)
    with raises_code("tokenizer-file-invalid"):
        opened(path=str(tmp_path / "bad.tiktoken"))


def test_a_written_file_is_read():
    ranks = {bytes([byte]): 300 - byte for byte in range(256)} | {b"\n\n": 5}
    assert parse(written(ranks)) == ranks


def test_untrained_says_so():
    with raises_code("tokenizer-untrained"):
        Tiktoken(TiktokenOptions()).encode("a")
