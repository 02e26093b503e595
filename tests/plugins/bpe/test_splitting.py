"""Each way of cutting words: merges are those of tokenizers with the same pattern, ids those of its encoder."""

from __future__ import annotations

import random

import pytest
import regex
import tiktoken_ext.openai_public
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers, trainers

from pentad.testing.stages.tokenizer import sample_texts
from pentad_bpe import splitting, training
from pentad_bpe.options import BPEOptions
from pentad_bpe.splitting import CL100K_IN_TIKTOKEN, PATTERNS, known_pattern, pattern_of
from pentad_bpe.tokenizer import BPE

CUTTING = PATTERNS[:-1]
LOOKING = [name for name in PATTERNS if pattern_of(name).looks_ahead]
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n\r\t'sSdllLVEre19ab!/\u0301\u3000\u017f\u0130ǅʰ"))

CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""As published with GPT-4's vocabulary, and in the tokenizer.json of Llama 3."""


@pytest.fixture(scope="module")
def official():
    """tiktoken's own patterns, by the names of this package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", lambda *file, **more: {})
        names = {"gpt2": "r50k_base", "cl100k": "cl100k_base", "o200k": "o200k_base"}
        yield {name: getattr(tiktoken_ext.openai_public, encoding)()["pat_str"] for name, encoding in names.items()}


def texts() -> list[str]:
    extra = "He'll SAY it's 1234567 x\u0301 CamelCase HTTPServer 'S don'T /path/to\r\n\r\n  indented\n\t\ttabs!!\n"
    return [f"{text}\n\n  {extra}" for text in sample_texts()[:20]]


@pytest.fixture(scope="module", params=PATTERNS)
def trained(request, tmp_path_factory):
    tokenizer = BPE(BPEOptions(vocab_size=560, split_pattern=request.param))
    tokenizer.train(texts())
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer.save(folder)
    library = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    library.encode_special_tokens = True
    return request.param, tokenizer, library


@settings(max_examples=80, deadline=None)
@given(TEXT)
@example("don't 'LL 'ſ '' 12345678 x\u0301y\u0301 \u3000\u3000 a\x1cb \n\n a !?\r\n/ ")
@example("a \n  ")
def test_ids_are_those_of_the_librarys_encoder(trained, text):
    _, tokenizer, library = trained
    ids = tokenizer.encode(text).tolist()
    assert ids == library.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids) == text


def test_merges_are_those_of_the_librarys_trainer(trained, official):
    name, tokenizer, _ = trained
    library = tokenizers.Tokenizer(models.BPE())
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=name == "gpt2")  # it has GPT-2's pattern built in
    pattern = {"fast": pattern_of("fast").library, "cl100k": CL100K, "o200k": official["o200k"]}.get(name)
    words = [pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")] if pattern else []
    cut = [] if name != "none" else [pre_tokenizers.FixedLength(64)]
    library.pre_tokenizer = pre_tokenizers.Sequence([*words, *cut, to_bytes])
    trainer = trainers.BpeTrainer(
        vocab_size=559, min_frequency=2, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    library.train_from_iterator(texts(), trainer=trainer)
    spelled = {token: piece for piece, token in library.get_vocab().items()}
    alphabet = {character: byte for byte, character in zip(range(256), _alphabet(), strict=True)}
    assert [bytes(alphabet[character] for character in spelled[token]) for token in range(559)] == tokenizer._tokens[:-1]


def _alphabet() -> list[str]:
    held = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in held]
    return [chr(byte) if byte in held else chr(256 + others.index(byte)) for byte in range(256)]


@pytest.mark.parametrize("name", LOOKING)
def test_both_spellings_cut_alike(name, official):
    source = random.Random(0)
    for _ in range(3000):
        text = "".join(source.choices(" \n\r\t\u3000a'sSlLbĳé1234!/ſ", k=source.randint(1, 10)))
        cut = regex.findall(pattern_of(name).library, text)
        assert cut == regex.findall(pattern_of(name).tiktoken.replace("$", r"\Z"), text)
        assert cut == regex.findall((CL100K if name == "cl100k" else official[name]).replace("$", r"\Z"), text)
        assert "".join(cut) == text


def test_the_pattern_of_cl100k_in_tiktoken_is_its_own(official):
    assert official["cl100k"] == CL100K_IN_TIKTOKEN
    at_the_end = "a\n  "
    assert regex.findall(CL100K, at_the_end) != regex.findall(CL100K_IN_TIKTOKEN.replace("$", r"\Z"), at_the_end)


@pytest.mark.parametrize("name", CUTTING)
@pytest.mark.parametrize("digits", [1, 3, 12])
def test_a_pattern_is_known_again(name, digits):
    pattern = pattern_of(name, digits)
    assert known_pattern(pattern.library).library == pattern.library


@pytest.mark.parametrize("library", ["", r"\p{L}+", CL100K + "|x", CL100K.replace("{1,3}", "{1,333}")])
def test_another_pattern_is_not(library):
    with pytest.raises(ValueError, match="unknown pattern"):
        known_pattern(library)


@pytest.mark.parametrize(("name", "run"), [("gpt2", "\n"), ("cl100k", " "), ("o200k", "\t")])
def test_a_million_white_spaces_do_not_overflow_the_stack(name, run):
    tokenizer = BPE(BPEOptions(vocab_size=257, split_pattern=name))
    tokenizer.train([])
    text = f"x\n{run * 1_100_000}b"
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("name", LOOKING)
@settings(max_examples=80, deadline=None)
@given(text=st.text(" \n\r\tab!", max_size=30))
def test_cutting_long_runs_changes_no_word(name, text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splitting, "_SAFE_LENGTH", 2)
        patch.setattr(splitting, "_LONG_SPACE", regex.compile(r"(?<!\s)\s{2,}"))
        pieces = list(pattern_of(name).safe_pieces(text))
    assert "".join(pieces) == text
    words = [word for piece in pieces for word in regex.findall(pattern_of(name).library, piece)]
    assert words == regex.findall(pattern_of(name).library, text)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["a", " ", "  ", "\n", "\t", "\n ", "word", "h" * 70, "漢字" * 40, "é,", "/" * 66]), max_size=14)
)
def test_long_runs_are_counted_as_in_their_place_with_gpt2s_pattern(parts):
    text, pattern = "".join(parts), pattern_of("gpt2")
    words = [word for chunk in training._chunks([text], 10**6, pattern) for word in regex.findall(pattern.library, chunk)]
    assert sorted(words) == sorted(regex.findall(pattern.library, text))


@pytest.mark.parametrize("name", CUTTING)
def test_chunks_are_cut_where_words_end(name, monkeypatch):
    monkeypatch.setattr(training, "_CHUNK", 20)
    text, pattern = texts()[0], pattern_of(name)
    chunks = list(training._chunks([text], 10**6, pattern))
    assert len(chunks) > 20
    assert [word for chunk in chunks for word in regex.findall(pattern.library, chunk)] == regex.findall(pattern.library, text)


def test_without_a_pattern_a_token_may_hold_words():
    tokenizer = BPE(BPEOptions(vocab_size=270, split_pattern="none"))
    tokenizer.train(["by the way, " * 40])
    assert any(b"the way" in tokenizer.token_bytes(token) for token in range(270))


@pytest.mark.parametrize(("name", "longest"), [("fast", 2), ("cl100k", 2), ("o200k", 2), ("gpt2", 8)])
def test_digits(name, longest):
    tokenizer = BPE(BPEOptions(vocab_size=259 if longest == 2 else 263, split_pattern=name, max_digits=2))
    tokenizer.train(["2024 20242024 a 2024 20242024\n"] * 20)
    tokens = [tokenizer.token_bytes(token).strip() for token in range(tokenizer.vocab_size)]
    assert max(len(token) for token in tokens if token.isdigit()) == longest
