"""The worked example of self-supervision: one sentence, its prefixes, and a model that has learned to go on with it."""

from __future__ import annotations

import pytest

from pentad import Catalogue, Choice, Recipe, open_run, pairs, run
from pentad.data.preparation import prepare
from pentad.registry.resolving import resolve

SENTENCE = "This is me training a large language model, to learn the phrase large language model"
IDS = [1212, 318, 502, 3047, 257, 1588, 3303, 2746, 11, 284, 2193, 262, 9546, 1588, 3303, 2746]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(folder / "cache"))
        (folder / "sentence.txt").write_text(SENTENCE)
        yield Recipe(
            tokenizer="gpt2",
            builder="prefix",
            model=Choice("gpt", n_layer=1, n_head=2, n_embd=16),
            optimizer=Choice("adamw", lr=3e-2),
            sampler="greedy",
            data={"sources": (str(folder / "sentence.txt"),), "held_out": 0.0},
            training={"steps": 25, "batch_size": 17, "context_length": 16},
            machine={"device": "cpu", "threads": 1},
            generation={"prompt": "This is me training a large", "max_tokens": 2},
        )


def test_the_sentence_becomes_its_prefixes(recipe):
    catalogue = Catalogue()
    prepared = prepare(resolve(recipe, catalogue), catalogue)
    assert prepared.tokenizer.encode(SENTENCE).tolist() == IDS
    count = prepared.builder.count(prepared.train.tokens)
    batch = prepared.builder.build(prepared.train.tokens, range(count), None)
    taught = list(pairs(batch, prepared.tokenizer.end_of_text))
    for length in range(4, len(IDS)):
        assert (IDS[:length], IDS[length]) in taught
    assert ([1212, 318, 502, 3047], 257) in taught and ([1212, 318, 502, 3047, 257], 1588) in taught


def test_a_small_model_learns_to_go_on_with_it(recipe, tmp_path):
    result = run(recipe, out=tmp_path / "run")
    assert result.evaluation is None  # nothing was held out
    assert [sample.text for sample in result.samples] == [" language model"]
    (sample,) = open_run(tmp_path / "run").generate("This is me training a large", max_tokens=2)
    assert list(sample.tokens) == [3303, 2746]
