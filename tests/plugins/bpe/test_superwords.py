"""Merges over the borders of words: the longest, with the ids of the library's encoder all the same."""

from __future__ import annotations

import random

import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pentad.testing import TokenizerConformance, raises_code
from pentad.testing.stages.tokenizer import NASTY, sample_texts
from pentad_bpe import superwords
from pentad_bpe.options import BPEOptions
from pentad_bpe.tokenizer import BPE

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n\t'sdl19ab.,"))


class TestSuperwords(TokenizerConformance):
    name = "bpe"
    options = {"vocab_size": 500, "superwords": 0.3}


def texts() -> list[str]:
    """Return texts of words in an order, digits and signs, so that many pairs go over borders."""
    source = random.Random(3)
    phrases = ["of the", "in the way of", "it's 12345", "(see the", "end.\n\n", "don't you", "by the way, ", "f(x) = 2024;"]
    return [" ".join(source.choices(phrases, k=30)) for _ in range(60)] + sample_texts()[:20]


def trained(texts, **options) -> BPE:
    tokenizer = BPE(BPEOptions(**options))
    tokenizer.train(texts)
    return tokenizer


@pytest.fixture(scope="module")
def superword():
    return trained(texts(), vocab_size=700, superwords=0.4)


@pytest.fixture(scope="module")
def library(superword, tmp_path_factory):
    folder = tmp_path_factory.mktemp("superwords")
    superword.save(folder)
    made = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    made.encode_special_tokens = True
    return made


@settings(max_examples=120, deadline=None)
@given(TEXT)
@example("a <|endoftext|> b")
def test_ids_are_those_of_the_librarys_encoder(superword, library, text):
    ids = superword.encode(text).tolist()
    assert ids == library.encode(text, add_special_tokens=False).ids
    assert superword.decode(ids) == text


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.sampled_from(["of the", "in", " the way", "it's", " 12345", "(see", ".\n\n", "f(x)", "20", "24;", " "]), max_size=30
    )
)
def test_ids_are_those_of_the_librarys_encoder_on_texts_as_it_was_trained_on(superword, library, parts):
    text = "".join(parts)
    assert superword.encode(text).tolist() == library.encode(text, add_special_tokens=False).ids


def test_the_first_merges_are_those_of_words_and_the_last_go_over_their_borders(superword):
    of_words = trained(texts(), vocab_size=700 - int(443 * 0.4))
    n_words = of_words.vocab_size - 1
    assert superword._tokens[:n_words] == of_words._tokens[:n_words]
    assert not [token for token in superword._tokens[256:n_words] if b"the way" in token]
    assert any(b"the way" in token for token in superword._tokens[n_words:])
    assert len(set(superword._tokens)) == superword.vocab_size == 700


def test_fewer_tokens(superword):
    plain = trained(texts(), vocab_size=700)
    text = "\n".join(texts())
    assert len(superword.encode(text)) < 0.8 * len(plain.encode(text))


def test_training_is_repeatable(superword):
    assert trained(iter(texts()), vocab_size=700, superwords=0.4)._json == superword._json


def test_the_sample_is_even_and_bounded(monkeypatch):
    monkeypatch.setattr(superwords, "MOST_BYTES", 150_000)
    given = [chr(0x4E00 + number) * 5000 for number in range(100)]
    sample = superwords.Sample()
    assert list(sample.passing(given)) == given
    kept = "".join(sample.kept)
    assert 20_000 < len(kept) <= 50_000
    assert len(set(kept[: len(kept) // 2]) & set(given[70])) == 0 and ord(max(kept)) > 0x4E00 + 90


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_vocabulary_that_the_text_cannot_give(share):
    options = {"vocab_size": 90_000}
    for _ in range(4):
        with_share = {"superwords": share, **options}
        try:
            assert trained(texts()[:10], **with_share).vocab_size == options["vocab_size"]
            break
        except Exception as error:
            assert error.code == "vocabulary-too-large"
            assert error.fitting["vocab_size"] < options["vocab_size"]
            options = error.fitting
    else:
        raise AssertionError("four sizes in a row did not fit")


def test_more_ids_than_symbols_are_refused(monkeypatch):
    monkeypatch.setattr("pentad_bpe.training.MOST_TOKENS", 300)
    with raises_code("too-many-before-superwords"):
        trained(texts(), vocab_size=700, superwords=0.4)


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_nasty_texts(superword, library, text):
    assert superword.encode(text).tolist() == library.encode(text, add_special_tokens=False).ids


def test_training_text_with_a_lone_surrogate():
    with raises_code("text-not-unicode"):
        trained(["fine", "not \ud800 fine"], superwords=0.4)
