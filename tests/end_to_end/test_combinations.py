"""Stages fit together: every pair of implementations of two stages is run once, for two steps."""

from __future__ import annotations

import builtins
import itertools

import pytest

from pentad import STAGES, Choice, Recipe, open_run, resume, run

OFFERS = {
    "tokenizer": [
        "byte",
        Choice("bpe", vocab_size=300),
        "gpt2",
        Choice("sentencepiece", vocab_size=360),
        Choice("sentencepiece", vocab_size=360, model_type="bpe"),
    ],
    "builder": ["next-token", "prefix"],
    "model": [
        Choice("gpt", n_layer=1, n_head=2, n_embd=8),
        Choice("gpt", n_layer=1, n_head=2, n_embd=8, position="learned", tie_embeddings=True, pad_vocab_to=64),
        Choice("rnn", n_layer=1, n_embd=8),
        Choice("rnn", n_layer=2, n_embd=8, cell="gru", tie_embeddings=True),
    ],
    "optimizer": ["adamw", Choice("adamw", schedule="cosine"), "muon", Choice("muon", schedule="wsd")],
    "sampler": ["greedy", "top-k", "temperature", "top-p", "min-p"],
}


def covering_pairs():
    """Choose recipes greedily until every pair of implementations of two stages stands in one: 25 of the 800."""
    numbers = {stage: range(len(OFFERS[stage])) for stage in STAGES}

    def pairs_of(chosen):
        return set(itertools.combinations(enumerate(chosen), 2))

    everything = list(itertools.product(*numbers.values()))
    left = set().union(*map(pairs_of, everything))
    while left:
        best = max(everything, key=lambda chosen: len(pairs_of(chosen) & left))
        left -= pairs_of(best)
        yield {stage: OFFERS[stage][number] for stage, number in zip(STAGES, best, strict=True)}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(folder / "cache"))
        (folder / "text.txt").write_text("\n\n".join(str(found.__doc__) for found in documented())[:9000])
        yield folder / "text.txt"


def documented():
    """Return the built-in names with a docstring: some English on every machine."""
    return [found for found in vars(builtins).values() if found.__doc__]


def name(stages):
    return "-".join(choice if isinstance(choice, str) else choice.name for choice in stages.values())


@pytest.mark.parametrize("stages", [*covering_pairs()], ids=name)
def test_stages_fit_together(text, tmp_path, stages):
    tables = {
        "training": {"steps": 2, "batch_size": 2, "context_length": 12},
        "machine": {"device": "cpu", "threads": 1},
        "generation": {"max_tokens": 3},
    }
    result = run(Recipe(**stages, data=text, **tables), out=tmp_path / "run")
    assert result.step == 2 and 0 < result.bits_per_byte < 20
    again = open_run(tmp_path / "run")
    assert again.generate(max_tokens=3)[0].tokens == result.samples[0].tokens
    assert again.evaluate().bits_per_byte == pytest.approx(result.bits_per_byte, rel=1e-6)
    assert resume(tmp_path / "run", steps=3).step == 3
