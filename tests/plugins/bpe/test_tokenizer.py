"""Ids equal those of the trainer's own encoder (Hugging Face tokenizers, read from the file that bpe saves) on any text."""

from __future__ import annotations

import itertools
import json
import random
import re
from types import SimpleNamespace

import pytest
import tiktoken
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from pentad import EngineError
from pentad.testing import raises_code
from pentad.testing.stages.tokenizer import NASTY, random_texts, sample_texts
from pentad_bpe import training
from pentad_bpe.options import BPEOptions
from pentad_bpe.splitting import pattern_of
from pentad_bpe.tokenizer import BPE
from pentad_bpe.vocabulary import alphabet, parse

FAST = pattern_of("fast")

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n\t'sdl19ab\u0301\u3000"))


def trained(texts, **options) -> BPE:
    tokenizer = BPE(BPEOptions(**options))
    tokenizer.train(texts)
    return tokenizer


def with_trainer(tokenizer, folder) -> SimpleNamespace:
    tokenizer.save(folder)
    own = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    own.encode_special_tokens = True
    return SimpleNamespace(bpe=tokenizer, own=lambda text: own.encode(text, add_special_tokens=False).ids)


@pytest.fixture(scope="module")
def prose(tmp_path_factory):
    return with_trainer(trained(sample_texts(), vocab_size=900), tmp_path_factory.mktemp("prose"))


@pytest.fixture(scope="module")
def repetitive(tmp_path_factory):
    """Few letters, many merges: overlapping pairs and ties everywhere."""
    source = random.Random(1)
    texts = ["".join(source.choices("aab c1", k=60)) for _ in range(2000)]
    return with_trainer(trained(texts, vocab_size=700), tmp_path_factory.mktemp("repetitive"))


@settings(max_examples=300, deadline=None)
@given(TEXT)
@example("don't 'll '' 12345678 x\u0301y\u0301 \u3000\u3000 a\x1cb")
def test_ids_equal_the_trainers(prose, text):
    ids = prose.bpe.encode(text).tolist()
    assert ids == prose.own(text)
    assert prose.bpe.decode(ids) == text


@settings(max_examples=500, deadline=None)
@given(st.text("abc 1", max_size=80))
def test_ids_equal_the_trainers_where_pairs_overlap(repetitive, text):
    assert repetitive.bpe.encode(text).tolist() == repetitive.own(text)


@pytest.mark.parametrize("text", [*NASTY, *random_texts(50), *sample_texts()[:3]], ids=ascii)
def test_ids_equal_the_trainers_on_nasty_texts(prose, text):
    assert prose.bpe.encode(text).tolist() == prose.own(text)


@pytest.mark.parametrize("run", ["a", "ab", "ä", " ", "\n", "=", "1", "abca1 "])
def test_ids_equal_the_trainers_on_long_runs(repetitive, run):
    text = "c " + run * 30_000 + " c"
    assert repetitive.bpe.encode(text).tolist() == repetitive.own(text)


@pytest.mark.parametrize("class_", [r"\p{L}", r"\p{M}", r"\p{N}", r"\s", r"[^\s\p{L}\p{M}\p{N}]"])
def test_both_engines_put_every_character_into_the_same_class(class_):
    characters = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    bytes_only = {bytes([byte]): byte for byte in range(256)}
    rust = tiktoken.Encoding("class", pat_str=class_ + "+", mergeable_ranks=bytes_only, special_tokens={})
    oniguruma = pre_tokenizers.Split(tokenizers.Regex(class_ + "+"), "removed", invert=True)
    members = "".join(piece for piece, _ in oniguruma.pre_tokenize_str(characters))
    assert bytes(rust.encode_ordinary(characters)).decode() == members


def test_every_token_is_learned_once_and_encodes_to_itself(prose):
    for token in range(prose.bpe.vocab_size - 1):
        piece = prose.bpe.token_bytes(token)
        assert prose.bpe._encoder._encoding.encode_single_token(piece) == token
    assert prose.bpe.end_of_text == prose.bpe.vocab_size - 1 == 899


def test_training_is_repeatable_and_does_not_depend_on_how_text_comes(tmp_path, monkeypatch):
    texts = sample_texts()[:20]
    once = trained(texts, vocab_size=500)
    monkeypatch.setattr(training, "_CHUNK", 50)
    again = trained(iter(texts), vocab_size=500)
    assert once._json == again._json


def test_training_reads_no_more_than_it_was_told(monkeypatch):
    chunks = list(training._chunks(iter(["ab cd" * 30_000, "x" * 10, "never"]), 150_004, FAST))
    assert "".join(chunks) == "ab cd" * 30_000 + "xxxx"
    assert len(chunks) > 2
    assert all(re.search(r"\S$", left) and re.match(" ", right) for left, right in itertools.pairwise(chunks[:-1]))


def test_training_survives_a_long_run_without_spaces():
    source = random.Random(0)
    text = "".join(source.choices("abcdefgh", k=300_000))
    tokenizer = trained([text, "a" * 300_000, " " * 300_000], vocab_size=400)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_vocabulary_that_the_text_cannot_give():
    text = ["one two three one two three"]
    with raises_code("vocabulary-too-large") as caught:
        trained(text, vocab_size=5000)
    assert "--tokenizer.vocab-size" in caught.value.hint
    largest = int(re.search(r"at most (\d+)", caught.value.message)[1])
    assert f" {largest} " in caught.value.hint
    assert trained(text, vocab_size=largest).vocab_size == largest
    with raises_code("vocabulary-too-large"):
        trained([], vocab_size=5000)
    assert trained([], vocab_size=257).encode("hi").tolist() == [71, 72]


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


def longest_number(tokenizer) -> int:
    return max(len(tokenizer.token_bytes(token).strip()) for token in range(tokenizer.vocab_size))


def test_options():
    numbers = ["2024 2024 2024 10000 10000"] * 20
    assert longest_number(trained(numbers, vocab_size=259, max_digits=1)) == 1
    assert longest_number(trained(numbers, vocab_size=262, max_digits=3)) == 3
    assert trained(["ab ab ab cd cd"], vocab_size=258, min_frequency=3).token_bytes(256) == b"ab"
    with raises_code("vocabulary-too-large"):
        trained(["ab ab ab cd cd"], vocab_size=261, min_frequency=3)


def test_untrained_says_so(tmp_path):
    for use in (lambda: BPE(BPEOptions()).encode("x"), lambda: BPE(BPEOptions()).save(tmp_path)):
        with raises_code("tokenizer-untrained"):
            use()


def test_the_files_are_portable_json(prose, tmp_path):
    prose.bpe.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]
    vocabulary = parse((tmp_path / "tokenizer.json").read_text())
    assert vocabulary.pattern == FAST
    assert vocabulary.tokens[:256] == list(alphabet().values())


def _damage(content):
    """Yield one damaged copy after the other, with what is wrong."""

    def copy():
        return json.loads(json.dumps(content))

    swapped = copy()
    swapped["model"]["merges"][3:5] = swapped["model"]["merges"][4:2:-1]
    yield swapped
    for key, value in (("merges", None), ("merges", [["a", "xyz"]]), ("merges", [5]), ("vocab", {}), ("vocab", [])):
        bad = copy()
        bad["model"][key] = value
        yield bad
    twice = copy()
    twice["model"]["merges"].append(twice["model"]["merges"][0])
    yield twice
    missing = copy()
    del missing["model"]["vocab"]["!"]
    yield missing
    for special in ([], [{"id": 5, "content": "<|endoftext|>"}], [{"id": 899, "content": ""}]):
        bad = copy()
        bad["added_tokens"] = special
        yield bad
    for found in (r"\p{L}+", "(a+)+$", FAST.library + "|x", ""):
        bad = copy()
        bad["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = found
        yield bad
    yield from ([], {}, None, 5, "text", {"model": {}})


def test_damaged_files_are_refused(prose, tmp_path):
    prose.bpe.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text())
    for damaged in [*map(json.dumps, _damage(content)), "", "[" * 100_000, '{"a"', "\0"]:
        path.write_text(damaged)
        with raises_code("tokenizer-damaged"):
            BPE(BPEOptions()).load(tmp_path)
    path.write_bytes(b"\xff\xfe")
    with raises_code("tokenizer-damaged"):
        BPE(BPEOptions()).load(tmp_path)


@pytest.mark.parametrize("train_mb", [1, 101])
def test_it_asks_for_as_much_text_as_the_option_says(train_mb):
    assert BPE(BPEOptions(train_mb=train_mb)).sample_bytes == train_mb * 1_000_000


def words_of(text: str) -> list[str]:
    return sorted(re_words().findall(text))


def re_words():
    import regex

    return regex.compile(FAST.library)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(["a", " ", "  ", "\n", "\n ", "word", "h" * 70, "漢字" * 40, "é,", "/" * 66, "1" * 80]), max_size=14
    )
)
def test_long_runs_are_counted_as_in_their_place(parts):
    text = "".join(parts)
    assert sorted(word for chunk in training._chunks([text], 10**6, FAST) for word in re_words().findall(chunk)) == words_of(
        text
    )


def test_text_without_white_space_is_sampled_evenly(monkeypatch):
    monkeypatch.setattr(training, "RUN_CHARACTERS", 4000)
    text = "".join(chr(0x4E00 + number % 5000) for number in range(50_000))
    english = "Some words in English, and a few more.\n" * 50
    chunks = list(training._chunks([english, text, english], 10**6, FAST))
    kept = [chunk for chunk in chunks if not chunk.isascii()]
    assert "".join(chunk for chunk in chunks if chunk.isascii()) == english * 2
    assert 1900 < sum(map(len, kept)) <= 4000 and all(len(chunk) <= training._PART for chunk in kept)
    places = [text.index(chunk) for chunk in kept]
    assert chunks == list(training._chunks([english, text, english], 10**6, FAST)) and len(set(places)) > 10
    trained = BPE(BPEOptions(vocab_size=300, min_frequency=1))
    trained.train([english, text])
    assert trained.decode(trained.encode(text)) == text


def test_texts_with_white_space_are_never_sampled(monkeypatch):
    monkeypatch.setattr(training, "RUN_CHARACTERS", 0)
    text = "Words of a usual length, and https://example.org/ too.\n" * 40
    assert "".join(training._chunks([text], 10**6, FAST)) == text
