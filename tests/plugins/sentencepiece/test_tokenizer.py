from __future__ import annotations

import hashlib
import json
import random
import re
import time

import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import models

from pentad import EngineError, Segmentation, Situation
from pentad.config.options import describe
from pentad.testing import raises_code
from pentad.testing.stages.tokenizer import sample_texts
from pentad_sentencepiece import cutting, training
from pentad_sentencepiece.options import SentencePieceOptions
from pentad_sentencepiece.sizing import advise
from pentad_sentencepiece.tokenizer import SentencePiece

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n\t\0\u2581\u2585\u2047ab1"))


def trained(texts, **options) -> SentencePiece:
    tokenizer = SentencePiece(SentencePieceOptions(**options))
    tokenizer.train(texts)
    return tokenizer


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def sentencepiece(request):
    return trained(sample_texts(), vocab_size=700, model_type=request.param)


@settings(max_examples=300, deadline=None)
@given(TEXT)
@example("\u2581")
@example("  \u2581 \u2581\u2581 x\u2581")
@example("<0x41><unk><s></s><|endoftext|>")
def test_round_trip(sentencepiece, text):
    ids = sentencepiece.encode(text)
    assert sentencepiece.decode(ids) == text
    assert b"".join(map(sentencepiece.token_bytes, ids.tolist())) == text.encode()
    assert 0 not in ids
    assert sentencepiece.end_of_text not in ids


def test_tokens(sentencepiece):
    assert sentencepiece.vocab_size == 700
    assert sentencepiece.end_of_text == 1
    assert [sentencepiece.token_bytes(token) for token in range(2, 258)] == [bytes([byte]) for byte in range(256)]
    assert sentencepiece.token_bytes(0) == sentencepiece.token_bytes(1) == b""
    assert all(sentencepiece.token_bytes(token) for token in range(2, 700))


def test_the_best_way_is_the_one_that_is_taken():
    tokenizer = trained(sample_texts(), vocab_size=700)
    ways = tokenizer.segmentations(" training", 6)
    assert 1 < len(ways) <= 6 and all(isinstance(way, Segmentation) for way in ways)
    assert ways[0].ids == tuple(tokenizer.encode(" training").tolist())
    assert all(tokenizer.decode(way.ids) == " training" for way in ways)
    assert [way.score for way in ways] == sorted((way.score for way in ways), reverse=True)
    assert len({way.ids for way in ways}) == len(ways)
    assert all(score < 0 for way in ways for score in way.scores)
    assert list(tokenizer.segmentations("", 6)) == list(tokenizer.segmentations("\u4e2d\u6587\U0001f600", 6)) == []


def test_merges_have_no_probabilities():
    assert not trained(sample_texts(), vocab_size=700, model_type="bpe").segmentations(" training", 6)


def test_no_piece_goes_on_over_a_space(sentencepiece):
    # What cutting long texts before spaces rests on.
    pieces = [sentencepiece.token_bytes(token).decode() for token in range(258, 700)]
    assert not [piece for piece in pieces if re.search(r"[^ ] ", piece)]


def test_cutting_changes_no_id(sentencepiece, monkeypatch):
    text = "  ".join(sample_texts()[:20]) + "\n\n   end "
    whole = sentencepiece.encode(text).tolist()
    for size in (1, 10, 10**9):
        monkeypatch.setattr(cutting, "CHUNK", size)
        assert sentencepiece.encode(text).tolist() == whole


def test_training_is_repeatable(sentencepiece):
    options = {"vocab_size": 700, "model_type": sentencepiece._options.model_type}
    assert trained(iter(sample_texts()), **options)._model == sentencepiece._model


@pytest.mark.parametrize("mark", ["\u2581", "\u2585", "\0", "\t", "\r\n"])
def test_no_document_is_left_out_of_training(mark):
    tokenizer = trained([f"banana banana {mark} bandana"] * 20, vocab_size=275, model_type="bpe")
    assert b"banana" in {tokenizer.token_bytes(token).strip() for token in range(275)}


def test_long_runs_are_cut_in_training():
    source = random.Random(0)
    run = "".join(source.choices("abcdefgh", k=5000))
    text = f"one {run} two{' ' * 3000}three"
    parts = list(training._sentences([text], 10**9))
    assert "".join(parts) == text
    assert max(map(len, parts)) < 4096
    assert trained([*sample_texts()[:10], run * 20], vocab_size=500).vocab_size == 500


def test_training_time_does_not_explode_when_documents_repeat():
    document = " ".join(sample_texts())
    started = time.process_time()
    trained([document] * 10, vocab_size=500)
    assert time.process_time() - started < 4  # 0.3 s; uncut it is 11 s


def test_training_reads_no_more_than_it_was_told():
    assert list(training._sentences(iter(["abc", "def", "never"]), 5)) == ["abc", "de"]


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_a_vocabulary_that_the_text_cannot_give(model_type):
    with raises_code("vocabulary-too-large") as caught:
        trained(sample_texts(), vocab_size=50_000, model_type=model_type)
    largest = int(re.search(r"at most (\d+)", caught.value.message)[1])
    assert f"--tokenizer.vocab-size {largest} " in caught.value.hint
    assert trained(sample_texts(), vocab_size=largest, model_type=model_type).vocab_size == largest


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_a_vocabulary_too_small_for_the_characters(model_type):
    with raises_code("vocabulary-too-small") as caught:
        trained(sample_texts(), vocab_size=260, model_type=model_type)
    smallest = int(re.search(r"vocab-size (\d+) or more", caught.value.hint)[1])
    assert trained(sample_texts(), vocab_size=smallest + 20, model_type=model_type).vocab_size == smallest + 20


@pytest.mark.parametrize("texts", [[], [""], ["\u2581"], ["\0"]])
def test_nothing_to_train_on(texts):
    with raises_code("text-empty"):
        trained(texts)


def test_training_text_with_a_lone_surrogate():
    with raises_code("text-not-unicode"):
        trained(["fine", "not \ud800 fine"])


def test_an_error_in_the_texts_reaches_the_caller():
    def texts():
        yield "some text"
        raise failure

    for failure in (EngineError("the file broke off", code="file-damaged"), KeyboardInterrupt()):
        with pytest.raises(type(failure)) as caught:
            trained(texts())
        assert caught.value is failure


def test_the_trainer_is_silent(capfd):
    trained(sample_texts(), vocab_size=500)
    assert capfd.readouterr() == ("", "")


def test_options():
    numbers = ["call 2024 or 2025 or 2026"] * 20
    longest = trained(numbers, vocab_size=272, split_digits=True, model_type="bpe")
    assert not [token for token in range(258, 272) if re.search(rb"\d\d", longest.token_bytes(token))]
    short = trained(sample_texts(), vocab_size=450, max_piece_length=2)
    assert max(len(short.token_bytes(token).decode()) for token in range(258, 450)) == 2


def test_the_least_coverage_is_one_that_the_trainer_takes():
    """Less gives more characters to the bytes, so fewer ids suffice."""
    needs = []
    for share in (_least("character_coverage"), 1.0):
        with raises_code("vocabulary-too-small") as caught:
            trained(sample_texts(), vocab_size=_least("vocab_size"), character_coverage=share)
        needs.append(caught.value.fitting["vocab_size"])
    assert needs[0] < needs[1]


def _least(name: str) -> float:
    (spec,) = (spec for spec in describe(SentencePieceOptions) if spec.name == name)
    return spec.ge


def all_pieces(text, **options) -> str:
    """Return every piece that the trainer can make of a text."""
    with raises_code("vocabulary-too-large") as caught:
        trained(text, vocab_size=50_000, **options)
    tokenizer = trained(text, **caught.value.fitting, **options)
    return "|".join(tokenizer.token_bytes(token).decode() for token in range(258, tokenizer.vocab_size))


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
@pytest.mark.parametrize(
    ("option", "words", "over"),
    [
        ("split_by_whitespace", "of the way of the day", "f t"),
        ("split_by_number", "7up 7up a7u", "7u"),
        ("split_by_unicode_script", "a漢 a漢 ba漢", "a漢"),
    ],
)
def test_what_a_piece_goes_over(model_type, option, words, over):
    text = [words] * 30
    assert over not in all_pieces(text, model_type=model_type)
    assert over in all_pieces(text, model_type=model_type, **{option: False})


@settings(max_examples=100, deadline=None)
@given(TEXT)
def test_pieces_over_spaces_are_lossless_too(over_spaces, text):
    assert over_spaces.decode(over_spaces.encode(text)) == text


@pytest.fixture(scope="module")
def over_spaces():
    return trained(sample_texts(), vocab_size=700, split_by_whitespace=False)


def test_without_bytes_an_unknown_character_is_lost():
    tokenizer = trained(sample_texts(), vocab_size=400, byte_fallback=False)
    assert not tokenizer.lossless
    assert tokenizer.decode(tokenizer.encode("The ⊕ model")) == "The  model"
    assert 0 in tokenizer.encode("⊕") and 0 in tokenizer.encode("\u2581")
    assert not [token for token in range(tokenizer.vocab_size) if token > 1 and not tokenizer.token_bytes(token)]
    assert trained(sample_texts(), vocab_size=400).lossless


def test_a_model_without_bytes_is_not_taken_for_a_lossless_one(tmp_path):
    trained(sample_texts(), vocab_size=400, byte_fallback=False).save(tmp_path)
    with raises_code("tokenizer-damaged"):
        SentencePiece(SentencePieceOptions(vocab_size=400)).load(tmp_path)


def test_ids_are_those_of_the_unigram_of_tokenizers(over_spaces):
    """Kudo's model (2018) as Hugging Face wrote it: the same scores give the same pieces."""
    processor = over_spaces._processor
    scores = [(processor.id_to_piece(token), processor.get_score(token)) for token in range(processor.get_piece_size())]
    peer = tokenizers.Tokenizer(models.Unigram(scores, unk_id=0, byte_fallback=True))
    for text in [*sample_texts()[:12], "  two  spaces\n\n ⊕ 漢字 é end "]:
        assert over_spaces.encode(text).tolist() == peer.encode(text.replace(" ", "\u2581")).ids


def test_advice_goes_by_the_text():
    def size(**situation):
        return advise(SentencePieceOptions(), Situation(**situation)).values["vocab_size"]

    assert [size(train_bytes=n_bytes) for n_bytes in (500, 10**6, 10**9)] == [512, 1024, 8192]
    assert size(train_bytes=10**9, tokens=1e6) == 1024


def test_untrained_says_so(tmp_path):
    for use in (
        lambda: SentencePiece(SentencePieceOptions()).encode("x"),
        lambda: SentencePiece(SentencePieceOptions()).save(tmp_path),
    ):
        with raises_code("tokenizer-untrained"):
            use()


def test_a_changed_byte_is_noticed(sentencepiece, tmp_path):
    sentencepiece.save(tmp_path)
    path = tmp_path / "sentencepiece.model"
    model = path.read_bytes()
    for at in (0, 100, len(model) // 2, len(model) - 1):
        path.write_bytes(model[:at] + bytes([model[at] ^ 1]) + model[at + 1 :])
        with raises_code("tokenizer-damaged"):
            SentencePiece(SentencePieceOptions()).load(tmp_path)


@pytest.mark.parametrize("model", [b"", b"not a model", b"\x0a\x02\x0a\x00"])
def test_a_file_that_is_no_model_is_refused(tmp_path, model):
    (tmp_path / "sentencepiece.model").write_bytes(model)
    description = {"format": 1, "model_sha256": hashlib.sha256(model).hexdigest()}
    (tmp_path / "sentencepiece.json").write_text(json.dumps(description))
    with raises_code("tokenizer-damaged"):
        SentencePiece(SentencePieceOptions()).load(tmp_path)


@pytest.mark.parametrize("train_mb", [1, 101])
def test_it_asks_for_as_much_text_as_the_option_says(train_mb):
    assert SentencePiece(SentencePieceOptions(train_mb=train_mb)).sample_bytes == train_mb * 1_000_000


def test_text_without_white_space_is_thinned_out(monkeypatch):
    monkeypatch.setattr(cutting, "RUN_CHARACTERS", 4000)
    text = "".join(chr(0x4E00 + number % 5000) for number in range(60_000))
    english = "Some words in English, and a few more.\n" * 90
    parts = list(training._sentences([english, text, english], 10**6))
    assert "".join(part for part in parts if part.isascii()) == english * 2
    kept = "".join(part for part in parts if not part.isascii())
    assert 8000 < len(kept) < 24_000 and kept.startswith(text[:1024])
    assert parts == list(training._sentences([english, text, english], 10**6))
    trained = SentencePiece(SentencePieceOptions(vocab_size=5280))
    trained.train([english, text])
    assert trained.decode(trained.encode(text)) == text
