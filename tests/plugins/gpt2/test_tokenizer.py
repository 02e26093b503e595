"""Ids equal those of tiktoken's own `gpt2` and of transformers' GPT-2 tokenizer, both built from the same merges offline."""

from __future__ import annotations

import importlib.resources
import json
import lzma
from types import SimpleNamespace

import pytest
import tiktoken
import tiktoken_ext.openai_public
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pentad import NoOptions
from pentad.testing import raises_code
from pentad.testing.stages.tokenizer import NASTY, random_texts
from pentad_gpt2 import tokenizer as module
from pentad_gpt2 import vocabulary
from pentad_gpt2.tokenizer import GPT2

SENTENCE = "This is me training a large language model, to learn the phrase large language model"
IDS = [1212, 318, 502, 3047, 257, 1588, 3303, 2746, 11, 284, 2193, 262, 9546, 1588, 3303, 2746]

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n\t'sdl19ab\u3000"))


@pytest.fixture(scope="module")
def gpt2():
    return GPT2(NoOptions())


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """tiktoken's `gpt2`, as tiktoken's own reader makes it of the published files."""
    folder = tmp_path_factory.mktemp("gpt2")
    (folder / "vocab.bpe").write_text(vocabulary.merges(), encoding="utf-8")
    spelled = {character: rank for rank, character in enumerate(vocabulary.alphabet())}
    for line in vocabulary.merges().split("\n")[1:-1]:
        spelled[line.replace(" ", "")] = len(spelled)
    (folder / "encoder.json").write_text(json.dumps({**spelled, "<|endoftext|>": len(spelled)}), encoding="utf-8")
    ranks = tiktoken.load.data_gym_to_mergeable_bpe_ranks(str(folder / "vocab.bpe"), str(folder / "encoder.json"))
    encoding = tiktoken.Encoding(
        "gpt2",
        explicit_n_vocab=50257,
        pat_str=tiktoken_ext.openai_public.r50k_pat_str,
        mergeable_ranks=ranks,
        special_tokens={"<|endoftext|>": 50256},
    )
    return SimpleNamespace(encode=encoding.encode_ordinary, folder=folder)


@pytest.fixture(scope="module")
def peer(official):
    transformers = pytest.importorskip("transformers")
    encoder = json.loads((official.folder / "encoder.json").read_text(encoding="utf-8"))
    merges = [tuple(line.split(" ")) for line in vocabulary.merges().split("\n")[1:-1]]
    return transformers.GPT2Tokenizer(vocab=encoder, merges=merges, split_special_tokens=True)


def test_the_worked_example(gpt2):
    assert gpt2.encode(SENTENCE).tolist() == IDS
    assert gpt2.vocab_size == 50257
    assert gpt2.end_of_text == 50256


@settings(max_examples=300, deadline=None)
@given(TEXT)
@example("  a   b\n\n c'll 're 12345 \u3000\u3000x \x1c\x1d y")
def test_ids_equal_tiktokens(gpt2, official, text):
    ids = gpt2.encode(text).tolist()
    assert ids == official.encode(text)
    assert gpt2.decode(ids) == text


def test_ids_equal_transformers(gpt2, peer):
    for text in [SENTENCE, *NASTY, *random_texts()]:
        assert gpt2.encode(text).tolist() == peer.encode(text), ascii(text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["a", " ", "\n", "\u3000", "\x1c", "!", " " * 9, "\t" * 8, "7", "'s"]), max_size=12))
def test_cutting_a_long_text_changes_no_id(gpt2, official, parts):
    # The limits, made small: every text of this test is then a long one.
    text = "".join(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SAFE_LENGTH", 0)
        patch.setattr(module, "_LONG_SPACE", module.re.compile(f"(?<!{module._SPACE}){module._SPACE}{{2,}}"))
        assert gpt2.encode(text).tolist() == official.encode(text)


def test_a_run_of_spaces_on_which_tiktoken_panics(gpt2, official):
    text = "a" + " " * 1_500_000 + "b"
    # The run but its last space is one word, which is cut into tokens without regard to the letter before.
    assert gpt2.encode(text).tolist() == [*official.encode("a"), *official.encode(" " * 1_499_999), *official.encode(" b")]


def test_a_damaged_package_is_noticed(monkeypatch, tmp_path):
    packed = importlib.resources.files("pentad_gpt2").joinpath("vocab.bpe.xz").read_bytes()
    other = lzma.compress(lzma.decompress(packed)[:-3])
    for damaged in (packed[:1000], b"not xz", other, None):
        if damaged is None:
            (tmp_path / "vocab.bpe.xz").unlink()
        else:
            (tmp_path / "vocab.bpe.xz").write_bytes(damaged)
        monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
        with raises_code("package-damaged") as caught:
            vocabulary.merges()
        assert "Reinstall" in caught.value.hint


def test_a_saved_folder_of_other_merges_is_refused(gpt2, tmp_path):
    gpt2.save(tmp_path)
    path = tmp_path / "gpt2.json"
    path.write_text(path.read_text().replace(vocabulary.SHA256, "0" * 64))
    with raises_code("tokenizer-damaged"):
        gpt2.load(tmp_path)
