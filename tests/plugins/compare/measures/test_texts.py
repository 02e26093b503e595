"""Texts measured by hand, prompts cut by hand, bits_per_byte_of worked out by hand, and a tiny model that writes."""

from __future__ import annotations

import itertools
import math
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pentad import IGNORED, Choice, Model, Output, Recipe, Vocabulary, make, open_run, run
from pentad.data.pieces import cut as cut_pieces
from pentad.inference.net import ModelNet
from pentad.inference.session import ModelSession
from pentad.system.machine import Machine
from pentad.testing import raises_code
from pentad_compare.measures import texts as module
from pentad_compare.measures.figures import Text
from pentad_compare.measures.texts import bits_per_byte_of, cut, distinct, figures, prompts_from, repetition, write_texts
from pentad_compare.measures.verbatim import SuffixArray


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


# Figures


def test_repetition_and_variety_by_hand():
    found = figures(["a b c d a b c d", "x y"], scores=[2.0, 3.0])
    assert found.n_texts == 2
    assert found.repetition == 0.2  # one of five 4-grams; the second text has none and does not count
    assert found.distinct_1 == 6 / 10 and found.distinct_2 == 5 / 8 and found.distinct_3 == 4 / 6
    assert found.bits_per_byte == 2.5
    assert (found.verbatim, found.longest_verbatim, found.longest_text) == (None, None, "")


def test_words_are_runs_of_letters_and_single_other_characters():
    assert figures(["x==1, naïve_2!"]).distinct_1 == 6 / 7  # x = = 1 , naïve_2 !
    assert figures(["=" * 7]).repetition == 3 / 4


def test_texts_that_are_too_short_for_a_figure():
    empty = figures([])
    assert (empty.n_texts, empty.repetition, empty.distinct_1, empty.bits_per_byte) == (0, 0.0, 0.0, None)
    short = figures(["", "a b c"], scores=[None, 1.5], training=SuffixArray(b"abc"))
    assert (short.repetition, short.distinct_3, short.bits_per_byte, short.verbatim) == (0.0, 1.0, 1.5, 0.0)


def test_verbatim_passages_by_hand():
    memory = SuffixArray(b"the cat sat on the mat")
    found = figures(["xx cat sat xx", "on the mat"], training=memory, verbatim_bytes=9)
    assert found.verbatim == pytest.approx((9 / 13 + 1) / 2) and found.verbatim_bytes == 9
    assert (found.longest_verbatim, found.longest_text) == (10, "on the mat")
    within = figures(["é!"], training=SuffixArray("è!".encode()), verbatim_bytes=1)  # they share a byte of the letter
    assert (within.longest_verbatim, within.longest_text) == (1, "")


def test_texts_are_cut_to_the_same_bytes():
    assert cut("aéé", 4) == "aé" and cut("aé", 9) == "aé" and cut("é", 1) == ""
    assert figures(["a b a b a b a b", "a b"], n_bytes=3).distinct_1 == 2 / 4


@given(st.lists(st.sampled_from("ab"), max_size=12))
def test_repetition_as_it_is_defined(words):
    grams = [tuple(words[start : start + 4]) for start in range(len(words) - 3)]
    before = [gram in grams[:place] for place, gram in enumerate(grams)]
    assert repetition(words) == (pytest.approx(np.mean(before)) if grams else None)
    assert 0 <= distinct([words], 2) <= 1


# Prompts


class Corpus:
    def __init__(self, *documents, size=256 * 1024):
        self.documents, self.size = documents, size

    def pieces(self):
        for document in self.documents:
            yield from cut_pieces([document], self.size)


def sentence(number, length=80):
    return " ".join(f"w{number}x{place}" for place in range(length // 6))


def test_prompts_are_the_beginnings_of_documents_spread_evenly():
    corpus = Corpus(*(sentence(number) for number in range(100, 110)))
    found = prompts_from(corpus, 4, prompt_bytes=20, text_bytes=30)
    assert [text.prompt for text in found] == [f"w{number}x0 w{number}x1 w{number}x2" for number in (100, 103, 106, 109)]
    assert all(text.text.startswith(" w") and len(text.text) == 30 for text in found)
    assert all((text.prompt + text.text) in "\n".join(corpus.documents) for text in found)
    assert found == prompts_from(corpus, 4, prompt_bytes=20, text_bytes=30)


def test_few_documents_give_places_within_them():
    document = "  \n" + " ".join(f"word{place:03}" for place in range(200)) + "\n"
    found = prompts_from(Corpus(document), 5, prompt_bytes=20, text_bytes=30)
    assert len(found) == 5 and found[0].prompt == "word000 word001"
    ends = []
    for text in found:
        begin = document.index(text.prompt + text.text)
        assert document[begin - 1].isspace() and text.text.startswith(" ")
        assert begin >= max(ends, default=0)  # nothing twice
        ends.append(begin + len(text.prompt + text.text))
        assert len(text.text) == 30
    assert ends[-1] > 0.9 * len(document)


def test_pieces_within_a_document_are_no_beginnings():
    long = " ".join(f"a{place:04}" for place in range(100))
    short = " ".join(f"b{place:04}" for place in range(20))
    found = prompts_from(Corpus(short, long, size=150), 2, prompt_bytes=20, text_bytes=30)
    assert [text.prompt for text in found] == ["b0000 b0001 b0002", "a0000 a0001 a0002"]


@pytest.mark.parametrize("length", range(100, 260, 7))
def test_every_text_within_a_document_has_its_full_length(length):
    document = ("ninebytes " * 40)[:length]
    found = prompts_from(Corpus(document), 9, prompt_bytes=20, text_bytes=30)
    assert len(found) == max(1, length // 70)
    assert {len(text.text) for text in found} == {30}


def test_tails_begin_with_a_whole_word():
    corpus = Corpus("ument begins here " * 10)
    assert prompts_from(corpus, 1, prompt_bytes=20, text_bytes=30)[0].prompt.startswith("ument")
    assert prompts_from(corpus, 1, prompt_bytes=20, text_bytes=30, tails=True)[0].prompt.startswith("begins")


def test_too_short_a_text():
    assert prompts_from(Corpus(), 3) == [] and prompts_from(Corpus(" \n"), 3) == []
    (found,) = prompts_from(Corpus("one", "two words here"), 3)
    assert (found.prompt, found.text) == ("two", " words here")
    assert prompts_from(Corpus("a"), 3) == [Text(prompt="", text="a")]


@settings(max_examples=60, deadline=None)
@given(
    documents=st.lists(st.text("ab é\n😀", min_size=1, max_size=200), max_size=6),
    n=st.integers(1, 8),
    prompt_bytes=st.integers(1, 20),
    text_bytes=st.integers(1, 40),
    size=st.integers(20, 100),
    tails=st.booleans(),
)
def test_prompts_and_texts_stand_in_the_documents(documents, n, prompt_bytes, text_bytes, size, tails):
    corpus = Corpus(*documents, size=size)
    found = prompts_from(corpus, n, prompt_bytes=prompt_bytes, text_bytes=text_bytes, tails=tails)
    assert len(found) <= n and (found or not "".join(documents).strip())
    for text in found:
        assert any(text.prompt + text.text in document for document in documents)
        assert len(text.prompt.encode()) <= prompt_bytes and len(text.text.encode()) <= text_bytes


# Surprise


class Bigram(Model):
    """Knows the probability of each id after each id, and remembers what it was asked."""

    def __init__(self, table, context_length=None):
        super().__init__()
        self.vocab_size, self.context_length, self.asked = len(table), context_length, []
        self.register_buffer("table", torch.tensor(table).log())

    def forward(self, inputs, state=None, segments=None):
        assert self.context_length is None or inputs.shape[1] <= self.context_length
        self.asked.append(inputs.shape[1])
        return Output(self.table[inputs], state)

    def logits(self, features):
        return features

    def initial_state(self, batch_size, max_length):
        return None


def saved(model, tokenizer="byte"):
    machine = Machine(device=torch.device("cpu"), precision="fp32", threads=1)
    made = make("tokenizer", tokenizer)
    session = ModelSession(model, machine, made, Vocabulary.of(made))
    return types.SimpleNamespace(model=model, machine=machine, tokenizer=made, session=session)


def table():
    return np.random.default_rng(0).dirichlet(np.ones(257), size=257)


@pytest.mark.parametrize("context", [None, 1, 2, 7, 64])
def test_surprise_equals_the_product_of_probabilities(context):
    known = table()
    text = Text(prompt="ab", text="cé d" * 6)
    data = b"b" + text.text.encode()
    bits = -sum(math.log2(known[before, after]) for before, after in itertools.pairwise(data))
    (found,) = bits_per_byte_of(saved(Bigram(known, context)), [text])
    assert found == pytest.approx(bits / (len(data) - 1), rel=1e-5)


def test_a_model_that_knows_nothing_and_a_text_from_its_start():
    run = saved(Bigram(np.full((257, 257), 1 / 257)))
    found = bits_per_byte_of(run, [Text(prompt="", text="abc"), Text(prompt="x", text=""), Text(prompt="x" * 9, text="é")])
    assert found == [pytest.approx(8.00562, rel=1e-5), None, pytest.approx(8.00562, rel=1e-5)]
    assert run.model.asked == [3, 11]


def test_looking_both_ways_gives_no_surprise():
    model = Bigram(table())
    model.causal = False
    with raises_code("not-causal"):
        bits_per_byte_of(saved(model), [Text(prompt="a", text="b")])


def test_what_lies_before_the_text_is_not_scored(monkeypatch):
    targets, original = [], ModelNet.logprobs
    spy = lambda net, features, wanted: targets.append(wanted) or original(net, features, wanted)  # noqa: E731
    monkeypatch.setattr(ModelNet, "logprobs", spy)
    bits_per_byte_of(saved(Bigram(table())), [Text(prompt="abc", text="de")])
    assert targets[0].tolist() == [[IGNORED, IGNORED, IGNORED, ord("d"), ord("e")]]


# A tiny model that writes


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text("the cat sat on the mat and the dog ran to the cat. " * 200)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(folder / "cache"))
        recipe = Recipe(
            tokenizer="byte",
            model=Choice("gpt", n_layer=1, n_head=2, n_embd=16, ngram_order=0),
            optimizer=Choice("adamw", lr=0.01),
            builder="next-token",
            sampler="greedy",
            data=folder / "text.txt",
            training={
                "steps": 60,
                "batch_size": 8,
                "context_length": 32,
            },
            machine={"device": "cpu", "threads": 1, "compile": "off"},
            evaluation={"evaluate_every": 0},
            generation={"max_tokens": 1, "samples": 1, "sample_every": 0},
            reporting={"checkpoint_seconds": 0},
        )
        run(recipe, out=folder / "run")
    return open_run(folder / "run", device="cpu")


PROMPTS = ["the cat", "the dog", "on"]


def test_greedy_repeats_more_than_temperature_and_is_less_surprising(trained):
    samplers = [Choice("greedy"), Choice("temperature", temperature=1.5)]
    greedy, hot = write_texts(trained, samplers, PROMPTS, max_tokens=120, seed=0)
    assert [text.prompt for text in greedy] == [text.prompt for text in hot] == PROMPTS
    measured = [figures([text.text for text in texts], scores=bits_per_byte_of(trained, texts)) for texts in (greedy, hot)]
    assert measured[0].repetition > measured[1].repetition
    assert measured[0].distinct_2 < measured[1].distinct_2
    assert measured[0].bits_per_byte < measured[1].bits_per_byte


def test_texts_depend_on_seed_and_prompt_alone(trained):
    hot = Choice("temperature", temperature=1.0)
    once, again = write_texts(trained, [hot, hot], PROMPTS, max_tokens=20, seed=3)
    assert once == again
    (alone,) = write_texts(trained, [hot], PROMPTS[:1], max_tokens=20, seed=3)
    (other,) = write_texts(trained, [hot], PROMPTS, max_tokens=20, seed=4)
    assert alone[0] == once[0] and other != once
    (twice,) = write_texts(trained, [hot], ["the", "the"], max_tokens=20, seed=3)
    assert twice[0].text != twice[1].text  # each prompt draws its own numbers


@pytest.mark.parametrize("n_bytes", [1, 10, 33])
def test_texts_of_so_many_bytes(trained, n_bytes, monkeypatch):
    hot = Choice("temperature", temperature=1.0)
    (long,) = write_texts(trained, [hot], PROMPTS, max_tokens=40, seed=0)
    (short,) = write_texts(trained, [hot], PROMPTS, max_tokens=40, seed=0, n_bytes=n_bytes)
    assert [text.text for text in short] == [cut(text.text, n_bytes) for text in long]
    monkeypatch.setattr(module, "_tokens_for", lambda run, prompts, n_bytes: 1)  # a bad guess is made good
    assert write_texts(trained, [hot], PROMPTS, max_tokens=40, seed=0, n_bytes=n_bytes) == [short]
    (five,) = write_texts(trained, [hot], PROMPTS, max_tokens=5, seed=0)
    (few,) = write_texts(trained, [hot], PROMPTS, max_tokens=5, seed=0, n_bytes=n_bytes)
    assert [text.text for text in few] == [cut(text.text, n_bytes) for text in five]


WRITTEN = st.binary(max_size=12) | st.text("aé€😀", max_size=6).map(str.encode)


@given(written=WRITTEN, n_bytes=st.integers(1, 20), guess=st.integers(1, 12))
def test_what_is_guessed_of_the_length_does_not_change_a_text(written, n_bytes, guess):
    """A character that is not whole at the end of a first try is one after the next token."""

    def generate(prompt, *, max_tokens, sampler, seed):
        tokens = written[:max_tokens]
        return [types.SimpleNamespace(tokens=tokens, text=tokens.decode(errors="replace"))]

    writer = types.SimpleNamespace(generate=generate)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_tokens_for", lambda run, prompts, n_bytes: guess)
        ((found,),) = write_texts(writer, [Choice("greedy")], ["a"], max_tokens=12, seed=0, n_bytes=n_bytes)
    assert found.text == cut(written[:12].decode(errors="replace"), n_bytes)
