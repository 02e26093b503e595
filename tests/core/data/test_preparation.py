"""From a recipe to tokens: what builders are given, the vocabulary, and whose tokenizer is used."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pentad import (
    Catalogue,
    Choice,
    Document,
    ExampleBuilder,
    Implementation,
    Span,
    SpecialToken,
    UsageError,
    Vocabulary,
    hookimpl,
)
from pentad.data.preparation import Kept, StartTokenizer, make_builder, prepare
from pentad.registry.resolving import resolve
from pentad.testing import raises_code

pytestmark = pytest.mark.usefixtures("cache")

BPE = Choice("bpe", vocab_size=260)


class Answers(ExampleBuilder):
    """An example is a record; its answer is learned."""

    special_tokens = (SpecialToken(name="answer"), SpecialToken(name="end", stops=True))

    def __init__(self, options, *, context_length, vocab_size, end_of_text, tokenizer, catalogue):
        self.context_length, self.end_of_text = context_length, end_of_text
        self.given = vocab_size, tokenizer, catalogue

    def render(self, record):
        if isinstance(record, str):
            raise UsageError("The builder answers reads a prompt and its completion.", "Use another.", code="document-format")
        prompt, answer = Span(record["prompt"], learn=False), Span(record["completion"])
        return [Document((prompt, Span(special="answer", learn=False), answer, Span(special="end")), learn_end=False)]

    def count(self, tokens):
        return len(tokens.starts) - 1

    def build(self, tokens, indices, seed):
        raise NotImplementedError


class Plugin:
    @hookimpl
    def engine_example_builders(self):
        return [Implementation(name="answers", summary="", factory=Answers)]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    found = Catalogue()
    found._load("answers", "1", Plugin)
    return found


@pytest.fixture
def records(tmp_path):
    path = tmp_path / "sums.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"{n} + {n}?", "completion": str(2 * n)}) + "\n" for n in range(60)))
    return path


def test_a_builder_is_given_what_it_asks_for(catalogue, records, tiny_recipe):
    prepared = prepare(resolve(tiny_recipe(records, builder="answers"), catalogue), catalogue)
    assert prepared.builder.given == (prepared.tokenizer.vocab_size, prepared.tokenizer, catalogue)


def test_the_vocabulary_is_the_tokenizers_and_the_builders(catalogue, records, tiny_recipe):
    prepared = prepare(resolve(tiny_recipe(records, builder="answers"), catalogue), catalogue)
    assert prepared.vocabulary == Vocabulary.of(prepared.tokenizer, Answers.special_tokens)
    assert prepared.vocab_size == prepared.tokenizer.vocab_size + 2
    assert prepared.vocabulary.id("end") in prepared.vocabulary.stops


def test_both_parts_are_rendered(catalogue, records, tiny_recipe):
    prepared = prepare(resolve(tiny_recipe(records, builder="answers"), catalogue), catalogue)
    for shard in (prepared.train, prepared.held_out):
        tokens, answer = shard.tokens, prepared.vocabulary.id("answer")
        assert (tokens.ids == answer).sum() == shard.n_documents == len(tokens.starts) - 1
        assert tokens.learn[tokens.ids == answer].sum() == 0
        assert shard.n_bytes == tokens.learn[1:].sum() - shard.n_documents  # bytes are ids here; the special end is none
    assert prepared.train.n_documents + prepared.held_out.n_documents == 60


def test_a_builder_that_cannot_use_the_text_says_so(catalogue, text, tiny_recipe):
    with raises_code("document-format"):
        prepare(resolve(tiny_recipe(text, builder="answers"), catalogue), catalogue)


def test_a_new_run_takes_the_tokenizer_of_the_run_that_it_starts_from(catalogue, text, records, tiny_recipe):
    earlier = prepare(resolve(tiny_recipe(text, tokenizer=BPE), catalogue), catalogue)
    start = StartTokenizer(
        tokenizer=earlier.tokenizer, folder=earlier.tokenizer_folder, fingerprint=earlier.tokenizer_fingerprint
    )
    resolved = resolve(tiny_recipe(records, tokenizer=BPE, builder="answers"), catalogue)
    prepared = prepare(resolved, catalogue, tokenizer_of=start)
    assert prepared.tokenizer is earlier.tokenizer
    assert (prepared.tokenizer_folder, prepared.tokenizer_fingerprint) == (start.folder, start.fingerprint)
    assert prepared.split.fingerprint != earlier.split.fingerprint
    own = prepare(resolved, catalogue)
    assert own.tokenizer_fingerprint != start.fingerprint and own.train.fingerprint != prepared.train.fingerprint


def test_a_resumed_run_has_the_same_shards_and_refuses_another_text(catalogue, text, tiny_recipe):
    resolved = resolve(tiny_recipe(text), catalogue)
    first = prepare(resolved, catalogue)
    kept = Kept(
        tokenizer=first.tokenizer,
        tokenizer_folder=first.tokenizer_folder,
        tokenizer_fingerprint=first.tokenizer_fingerprint,
        data_fingerprint=first.split.fingerprint,
    )
    again = prepare(resolved, catalogue, kept=kept)
    assert (again.train.fingerprint, again.held_out.fingerprint) == (first.train.fingerprint, first.held_out.fingerprint)
    with raises_code("text-changed"):
        prepare(resolved, catalogue, kept=dataclasses.replace(kept, data_fingerprint="another"))


def test_only_training_text_is_cut_at_random(catalogue, text, tiny_recipe):
    def prepared(seed, **options):
        recipe = tiny_recipe(text, tokenizer=Choice("bpe", vocab_size=280, **options), training={"seed": seed})
        return prepare(resolve(recipe, catalogue), catalogue)

    plain, first, again, other = prepared(0), *(prepared(seed, dropout=0.3) for seed in (5, 5, 6))
    assert first.train.n_tokens > plain.train.n_tokens and first.train.n_bytes == plain.train.n_bytes
    assert first.train.tokens.ids.tolist() == again.train.tokens.ids.tolist() != other.train.tokens.ids.tolist()
    for with_dropout in (first, other):
        assert with_dropout.held_out.tokens.ids.tolist() == plain.held_out.tokens.ids.tolist()
        bytes_of = [made.tokenizer.decode_bytes(made.train.tokens.ids) for made in (plain, with_dropout)]
        assert bytes_of[0] == bytes_of[1]


def test_a_builder_alone_finds_what_is_installed(catalogue, records, tiny_recipe):
    resolved = resolve(tiny_recipe(records, builder="answers"), catalogue)
    tokenizer = prepare(resolved, catalogue).tokenizer
    assert isinstance(make_builder(resolved, tokenizer).given[2], Catalogue)
