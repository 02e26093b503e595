"""Word pieces: what is learned equals a trainer written out here, and ids those of the library's WordPiece and BERT's."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import pytest
import regex
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import models
from tokenizers.implementations import BertWordPieceTokenizer

from pentad import Situation
from pentad.testing import raises_code
from pentad.testing.stages.tokenizer import NASTY, random_texts, sample_texts
from pentad_tokenizers import training
from pentad_tokenizers.options import WordPieceOptions
from pentad_tokenizers.sizing import advise
from pentad_tokenizers.wordpiece import WordPiece
from pentad_tokenizers.words import WORDS

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n\t'sdl19ab\u0301\u3000#"))


def trained(texts, **options) -> WordPiece:
    tokenizer = WordPiece(WordPieceOptions(**options))
    tokenizer.train(texts)
    return tokenizer


@pytest.fixture(scope="module")
def wordpiece():
    return trained(sample_texts(), vocab_size=900)


@pytest.fixture(scope="module")
def bert():
    return trained(sample_texts(), vocab_size=700, style="bert", lowercase=True)


@settings(max_examples=120, deadline=None)
@given(TEXT)
@example("##ing ing##ing #")
def test_round_trip_over_all_of_unicode(wordpiece, text):
    ids = wordpiece.encode(text)
    assert wordpiece.decode(ids) == text
    assert b"".join(map(wordpiece.token_bytes, ids.tolist())) == text.encode()


def test_the_pieces_are_those_of_a_trainer_written_out():
    """Merge the most frequent pair of neighbours; of equal ones the pair of pieces that were known first."""
    texts = ["low lower lowest newer wider new lower widest low\n"] * 3 + ["wise newest café lists\n"] * 2
    words = Counter(word.encode() for text in texts for word in regex.findall(WORDS, text))
    # A piece: where it stands, its bytes. Known at first: all bytes at the start of a word, then all inside.
    known = [(place, bytes([byte])) for place in (0, 1) for byte in range(256)]
    spelled = {word: [(min(at, 1), bytes([byte])) for at, byte in enumerate(word)] for word in words}
    for _ in range(30):
        counts: Counter[tuple] = Counter()
        for word, pieces in spelled.items():
            for pair in itertools.pairwise(pieces):
                counts[pair] += words[word]
        best = min(counts, key=lambda pair: (-counts[pair], known.index(pair[0]), known.index(pair[1])))
        known.append((best[0][0], best[0][1] + best[1][1]))
        spelled = {word: merged(pieces, best) for word, pieces in spelled.items()}
    tokenizer = trained(texts, vocab_size=257 + 30, min_frequency=1)
    starting, continuing = ([piece.encode("latin-1") for piece in part] for part in tokenizer._pieces)
    assert starting == [piece for place, piece in known[512:] if place == 0]
    assert continuing == [piece for place, piece in known[512:] if place == 1]
    assert b" lower" in starting and continuing


def merged(pieces, pair):
    result: list[tuple] = []
    for piece in pieces:
        if result and (result[-1], piece) == pair:
            result[-1] = (pair[0][0], pair[0][1] + pair[1][1])
        else:
            result.append(piece)
    return result


@pytest.mark.parametrize("text", [*NASTY, *random_texts(30), *sample_texts()[:5]], ids=ascii)
def test_ids_are_those_of_the_librarys_wordpiece(wordpiece, text):
    """Each word, its bytes as Latin-1, to `tokenizers.models.WordPiece` with a prefix that no byte is spelled with."""
    starting, continuing = wordpiece._pieces
    vocabulary = {chr(byte): byte for byte in range(256)} | {f"\ue000{chr(byte)}": byte for byte in range(256)}
    vocabulary |= {piece: 256 + place for place, piece in enumerate(starting)}
    vocabulary |= {f"\ue000{piece}": 256 + len(starting) + place for place, piece in enumerate(continuing)}
    model = models.WordPiece(vocabulary, unk_token="\ue001", max_input_chars_per_word=1000, continuing_subword_prefix="\ue000")
    peer = tokenizers.Tokenizer(model)
    words = regex.findall(WORDS, text)
    expected = [token for word in words for token in peer.encode(word.encode().decode("latin-1")).ids]
    assert wordpiece.encode(text).tolist() == expected


@settings(max_examples=80, deadline=None)
@given(TEXT)
@example("The Tokenizer's [UNK] naïve CAFÉ, 日本語!! ##s  x" + "y" * 101)
def test_style_bert_gives_the_ids_of_berts_tokenizer(bert, text):
    starting, continuing = bert._pieces
    spelled = ["[UNK]", *starting, *(f"##{piece}" for piece in continuing)]
    peer = BertWordPieceTokenizer(
        {piece: token for token, piece in enumerate(spelled)}, lowercase=True, sep_token="[UNK]", cls_token="[UNK]"
    )
    peer._tokenizer.encode_special_tokens = True
    assert bert.encode(text).tolist() == peer.encode(text, add_special_tokens=False).ids


def test_style_bert_says_what_it_loses(bert):
    assert not bert.lossless
    assert bert.decode(bert.encode("The  model reads, the")) == " the model reads , the"
    assert bert.decode(bert.encode("a\u1234 b")) == " b"


def test_tokens(wordpiece, bert):
    assert wordpiece.vocab_size == 900 and bert.vocab_size == 700
    assert [wordpiece.token_bytes(token) for token in range(256)] == [bytes([byte]) for byte in range(256)]
    assert len(wordpiece.encode(sample_texts()[0])) < 0.6 * len(sample_texts()[0])


def test_options():
    text = ["ab ab ab cd cd"]
    assert trained(text, vocab_size=258, min_frequency=2)._pieces == ((" a",), ())
    with raises_code("vocabulary-too-large"):
        trained(text, vocab_size=258, min_frequency=3)
    assert "É" not in "".join(trained(sample_texts(), vocab_size=400, style="bert", lowercase=True)._pieces.starting)


@pytest.mark.parametrize("style", ["bytes", "bert"])
def test_a_vocabulary_that_the_text_cannot_give(style):
    with raises_code("vocabulary-too-large") as caught:
        trained(sample_texts()[:3], vocab_size=50_000, style=style)
    fitting = caught.value.fitting
    assert trained(sample_texts()[:3], style=style, **fitting).vocab_size == fitting["vocab_size"]


def test_a_text_too_small_for_berts_style_is_told_of_the_other():
    with raises_code("vocabulary-too-large") as caught:
        trained(["tiny"], style="bert")
    assert caught.value.fitting == {"style": "bytes", "vocab_size": 257}


def test_text_without_white_space_is_sampled_evenly(monkeypatch):
    monkeypatch.setattr(training, "RUN_CHARACTERS", 4000)
    text = "".join(chr(0x4E00 + number % 5000) for number in range(50_000))
    counts = training._count_words(["Some words. " * 9, text], regex.compile(WORDS).findall)
    long = [word for word in counts if not word.isascii()]
    assert counts["Some"] == 1 and counts[" Some"] == 8
    assert 1900 < sum(map(len, long)) <= 4000 and max(map(len, long)) == training.LONGEST_WORD
    assert max(map(text.index, long)) > 4000
    tokenizer = trained(["Some words. " * 9, text], vocab_size=300, min_frequency=1)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_training_is_repeatable(wordpiece):
    assert trained(iter(sample_texts()), vocab_size=900)._pieces == wordpiece._pieces


@pytest.mark.parametrize(
    "damage",
    [
        {"style": "bert"},
        {"lowercase": True},
        {"starting": ["ab", "ab"]},
        {"starting": ["\u1234"]},
        {"continuing": [""]},
        {"continuing": None},
        {"format": 0},
    ],
)
def test_damaged_files_are_refused(wordpiece, tmp_path, damage):
    wordpiece.save(tmp_path)
    path = tmp_path / "wordpiece.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    with raises_code("tokenizer-damaged"):
        WordPiece(WordPieceOptions(vocab_size=900)).load(tmp_path)


def test_training_text_with_a_lone_surrogate():
    with raises_code("text-not-unicode"):
        trained(["fine", "not \ud800 fine"])


def test_advice_goes_by_the_text():
    assert advise(WordPieceOptions(), Situation(train_bytes=20_000_000)).values == {"vocab_size": 2048}
