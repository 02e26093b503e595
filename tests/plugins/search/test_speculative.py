"""What is written has the distribution of the sampler alone: by a chi-squared test, and exactly where nothing is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from scipy import stats

from pentad import Choice, Limits, Recipe, UsageError, open_run, run
from pentad.testing.subjects import Table, session_of

from .conftest import Peer, peer_of

LETTERS = torch.arange(97, 100)
N_TEXTS = 300


def few_letters(seed: int, boldness: float) -> Table:
    """Return a model that writes three letters and nothing else."""
    table = torch.full((257, 257), -60.0)
    table[:, LETTERS] = boldness * torch.randn(257, 3, generator=torch.Generator().manual_seed(seed))
    return Table(table)


def probabilities_of_texts(model: Table, sampler, first: int) -> torch.Tensor:
    """Return the probability of each of the 27 texts of three letters behind a token."""
    rows = sampler.probabilities(model.table.detach(), torch.zeros(257, 0, dtype=torch.int64)).double()
    found = torch.ones(1, dtype=torch.float64)
    states = torch.tensor([first])
    for _ in range(3):
        following = rows[states][:, LETTERS]
        found = (found[:, None] * following).flatten()
        states = LETTERS.repeat(len(states))
    return found


@pytest.mark.parametrize(
    ("draft", "sampler"), [(True, "temperature,temperature=1.3"), (True, "top-k,k=2"), (False, "temperature")]
)
def test_the_distribution_is_that_of_the_sampler(draft, sampler, decoder):
    model = few_letters(1, 1.0)
    session = session_of(model)
    method = decoder("speculative", sampler=sampler, tokens=2)
    method.draft = session_of(few_letters(2, 1.0)) if draft else None
    name, _, option = sampler.partition(",")
    plain = decoder(name, **dict([option.split("=")] if option else []))
    expected = probabilities_of_texts(model, plain, ord("b")) * N_TEXTS
    events = list(session.generate("abcab", method, Limits(max_tokens=3, samples=N_TEXTS, seed=11)))
    letters = torch.tensor([event.token - 97 for event in events]).reshape(N_TEXTS, 3)
    counts = torch.bincount(letters @ torch.tensor([9, 3, 1]), minlength=27).double()
    possible = expected > 0
    assert 0.1 < method.accepted / method.proposed < 0.9
    assert not counts[~possible].any()
    assert stats.chisquare(counts[possible], expected[possible] * counts.sum() / expected.sum()).pvalue > 0.001


def test_the_test_above_sees_a_draft_that_is_believed(decoder):
    """A draft whose tokens were all accepted would be found out."""
    found, expected = (probabilities_of_texts(few_letters(seed, 1.0), decoder("temperature"), ord("b")) for seed in (2, 1))
    assert stats.chisquare(found / found.sum() * N_TEXTS, expected / expected.sum() * N_TEXTS).pvalue < 1e-9


@pytest.mark.parametrize("draft", [None, 4, 9])  # none, the model itself, another one
def test_greedy_writes_what_greedy_writes(draft, session, decoder):
    """Beyond the context of 48 too: there, both forget the older half at the same place."""
    limits = Limits(max_tokens=60, ignore_end=True, logprobs=True, alternatives=2)
    method = decoder("speculative", sampler="greedy", tokens=5)
    method.draft = None if draft is None else session_of(Peer(peer_of(draft)))
    expected, found = (list(session.generate("fab", one, limits)) for one in (decoder("greedy"), method))
    assert [event.token for event in found] == [event.token for event in expected]
    assert [event.logprob for event in found] == pytest.approx([event.logprob for event in expected], abs=1e-4)
    assert method.accepted > 0 and (draft != 4 or method.accepted == method.proposed)


def test_a_stateful_sampler_keeps_its_state(session, decoder):
    limits = Limits(max_tokens=30, samples=1, ignore_end=True)
    chain = {"sampler": "no-repeat-ngram+greedy,n=2", "tokens": 3}
    method = decoder("speculative", **chain)
    method.draft = session_of(Peer(peer_of(9)))
    expected = [event.token for event in session.generate("fab", decoder("no-repeat-ngram+greedy", n=2), limits)]
    assert [event.token for event in session.generate("fab", method, limits)] == expected


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run, a smaller one and a counted one with the same tokens, and one with others."""
    folder = tmp_path_factory.mktemp("runs")
    text = folder / "text.txt"
    text.write_text("".join(f"{number} eels ate {number * 7 % 13}.\n\n" for number in range(60)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENTAD_CACHE", str(folder / "cache"))
        small, large = (Choice("gpt", n_layer=1, n_head=2, n_embd=width) for width in (8, 16))
        for name, tokenizer, model in (
            ("run", "byte", large),
            ("draft", "byte", small),
            ("counted", "byte", Choice("ngram", order=3)),
            ("other", Choice("bpe", vocab_size=270), small),
        ):
            made = Recipe(
                tokenizer=tokenizer,
                model=model,
                optimizer="adamw",
                data=text,
                training={"steps": 10, "batch_size": 4, "context_length": 32},
                machine={"device": "cpu", "threads": 1, "precision": "fp32"},
                sampler=Choice("beam", width=2),  # what a run samples with may be a decoder
                generation={"max_tokens": 4, "samples": 3},
            )
            run(made, out=folder / name, observers=())
    return {name: folder / name for name in ("run", "draft", "counted", "other")}


@pytest.mark.parametrize("draft", ["draft", "counted"])
def test_a_run_is_the_draft_of_another(draft, runs):
    saved = open_run(runs["run"], device="cpu")
    choice = Choice("speculative", draft=str(runs[draft]), sampler="greedy")
    (found,) = saved.generate("1 eel", max_tokens=40, sampler=choice)
    assert found.text == saved.generate("1 eel", max_tokens=40, sampler="greedy")[0].text
    with pytest.raises(UsageError) as raised:
        saved.generate("1 eel", sampler=Choice("speculative", draft=str(runs["other"])))
    assert raised.value.code == "draft-mismatch"
    with pytest.raises(UsageError):
        saved.generate("1 eel", sampler=Choice("speculative", draft="nowhere"))
