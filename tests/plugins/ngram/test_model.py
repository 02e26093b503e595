"""Kneser-Ney's formula, against its definition in dictionaries, in fp64 on one side and fp32 on the other."""

from __future__ import annotations

import copy
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pentad import Choice, Recipe, Vocabulary, open_run, run
from pentad.testing import raises_code
from pentad_ngram.model import Ngram
from pentad_ngram.options import NgramOptions
from pentad_ngram.tables import FALLBACK, estimate

EOT, V = 0, 60


def ngram(vocab_size: int = V, **options: Any) -> Ngram:
    vocabulary = Vocabulary(tokenizer_size=vocab_size, end_of_text=EOT)
    return Ngram(NgramOptions(**options), vocab_size=vocab_size, vocabulary=vocabulary).eval()


def learn(model: Ngram, rows: Tensor, segments: Tensor | None = None) -> Ngram:
    """Count rows (B, T + 1)."""
    model.learn_by_counting(rows[:, :-1], rows[:, 1:], None if segments is None else segments[:, :-1])
    return model


def probabilities(model: Ngram, rows: Tensor, segments: Tensor | None = None) -> Tensor:
    return model.logits(model(rows, None, segments).features).exp()


def documents(number: int = 60, length: int = 30, seed: int = 0) -> list[list[int]]:
    """Draw texts in which some tokens follow others, each behind the id that opens it."""
    generator = torch.Generator().manual_seed(seed)
    chances = torch.rand(V, V, generator=torch.Generator().manual_seed(9)).pow(20)
    texts = []
    for _ in range(number):
        text = [EOT]
        for _ in range(length):
            text.append(int(torch.multinomial(chances[text[-1], 1:], 1, generator=generator)) + 1)
        texts.append(text)
    return texts


class BruteForce:
    """The formula of Chen and Goodman (1999), word for word; texts begin behind any number of boundaries."""

    def __init__(self, texts: list[list[int]], order: int, fixed: float | None = None) -> None:
        self.order = order
        counts: list[dict[tuple[int, ...], int]] = [Counter() for _ in range(order + 1)]
        for text in texts:
            padded = [V] * (order - 1) + text
            for end in range(order, len(padded)):
                counts[order][tuple(padded[end - order + 1 : end + 1])] += 1
        for length in range(order - 1, 0, -1):
            preceded: dict[tuple[int, ...], set[int]] = defaultdict(set)
            for longer in counts[length + 1]:
                preceded[longer[1:]].add(longer[0])
            counts[length] = {shorter: len(tokens) for shorter, tokens in preceded.items()}
        self.counts = counts
        self.discounts = [(fixed,) * 3 if fixed else self.estimated(table.values()) for table in counts]

    @staticmethod
    def estimated(values: Any) -> tuple[float, ...]:
        n = [sum(1 for value in values if value == number) for number in range(5)]
        if not all(n[1:]):
            return FALLBACK
        y = n[1] / (n[1] + 2 * n[2])
        found = (1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3])
        return found if all(0 < d < most for d, most in zip(found, (1, 2, 3), strict=True)) else FALLBACK

    def __call__(self, token: int, context: tuple[int, ...]) -> float:
        length = len(context) + 1
        shorter = self(token, context[1:]) if context else 1 / V
        table = self.counts[length]
        followers = {follower: table.get((*context, follower), 0) for follower in range(V)}
        total = sum(followers.values())
        if not total:
            return shorter
        taken = {follower: self.discounts[length][min(count, 3) - 1] if count else 0.0 for follower, count in followers.items()}
        return (followers[token] - taken[token]) / total + sum(taken.values()) / total * shorter


@pytest.mark.parametrize("fixed", [None, 0.6])
@pytest.mark.parametrize("order", [1, 2, 4, 9])
def test_equals_the_formula(order: int, fixed: float | None) -> None:
    texts = documents()
    model, expected = learn(ngram(order=order, discount=fixed), torch.tensor(texts)), BruteForce(texts, order, fixed)
    if fixed is None:
        assert all(found != FALLBACK for found in expected.discounts[2 : min(order, 3) + 1])
    for text in documents(number=2, seed=1):
        found = probabilities(model, torch.tensor([text]))[0]
        for end in range(1, len(text) + 1, 4):
            context = ([V] * order + text[:end])[-(order - 1) :] if order > 1 else []
            wanted = [expected(token, tuple(context)) for token in range(V)]
            assert found[end - 1].tolist() == pytest.approx(wanted, abs=1e-6)


def test_discounts_by_hand() -> None:
    values = torch.tensor([1] * 8 + [2] * 4 + [3] * 3 + [4] * 1 + [9])
    y = 8 / (8 + 2 * 4)
    assert estimate(values) == pytest.approx((1 - 2 * y * 4 / 8, 2 - 3 * y * 3 / 4, 3 - 4 * y * 1 / 3))
    assert estimate(torch.tensor([1, 1, 2, 3])) == FALLBACK
    assert estimate(torch.tensor([1, 2, 3] + [4] * 50)) == FALLBACK  # the third would be negative


@settings(max_examples=20, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(0, V - 1), min_size=6, max_size=6), min_size=0, max_size=8),
    asked=st.lists(st.integers(0, V - 1), min_size=4, max_size=4),
    order=st.integers(1, 8),
    discount=st.one_of(st.none(), st.floats(0.01, 0.99)),
)
def test_probabilities_are_positive_and_sum_to_one(
    rows: list[list[int]], asked: list[int], order: int, discount: float | None
) -> None:
    model = ngram(order=order, discount=discount)
    if rows:
        learn(model, torch.tensor(rows))
    found = probabilities(model, torch.tensor([asked]))
    assert (found > 0).all()
    assert torch.allclose(found.sum(-1), torch.ones(1, 4), atol=1e-5)


def test_many_ids_and_a_high_order_are_no_bound() -> None:
    """12 ids of a vocabulary of 200,000 are 212 bits."""
    torch.manual_seed(0)
    rows = torch.randint(1, 200_000, (2, 40))
    model = learn(ngram(200_000, order=12), rows)
    best = probabilities(model, rows[:, :-1]).argmax(-1)
    assert torch.equal(best[:, 12:], rows[:, 13:])


def test_batches_may_come_in_any_order_and_size() -> None:
    rows = torch.tensor(documents())
    whole = learn(ngram(order=4), rows)
    parts = ngram(order=4).train()
    for part in rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(1))].split(7):
        parts(part)
        parts.logits(parts(part).features)  # as the loss of a step asks
        learn(parts, part)
    assert torch.equal(probabilities(parts.eval(), rows), probabilities(whole, rows))


def test_only_what_is_learned_is_counted() -> None:
    rows = torch.tensor(documents(4))
    targets = rows[:, 1:].clone()
    targets[:, 10:] = -100
    model = ngram(order=3)
    model.learn_by_counting(rows[:, :-1], targets, None)
    assert torch.equal(probabilities(model, rows), probabilities(learn(ngram(order=3), rows[:, :11]), rows))


def test_packed_documents_are_counted_as_alone() -> None:
    texts = documents(6, length=9)
    alone = learn(ngram(order=4), torch.tensor(texts))
    packed = ngram(order=4)
    row = torch.tensor(texts).view(1, -1)
    segments = torch.arange(6).repeat_interleave(10)[None]
    targets = row.roll(-1, dims=1).masked_fill(segments.roll(-1, dims=1) != segments, -100)
    packed.learn_by_counting(row, targets, segments)
    rows = torch.tensor(documents(2, seed=3))
    assert torch.equal(probabilities(packed, rows), probabilities(alone, rows))


def test_a_row_cut_from_a_document_says_less_than_its_beginning() -> None:
    """What is before the row is not known, so the longest context that is known decides, and none that begins a document."""
    texts = documents()
    model, expected = learn(ngram(order=4), torch.tensor(texts)), BruteForce(texts, 4)
    found = probabilities(model, torch.tensor([[3, 2]]))[0]
    assert found[0].tolist() == pytest.approx([expected(token, (3,)) for token in range(V)], abs=1e-6)
    assert found[1].tolist() == pytest.approx([expected(token, (3, 2)) for token in range(V)], abs=1e-6)


def test_the_state_selects_and_forgets() -> None:
    model = learn(ngram(order=4), torch.tensor(documents()))
    rows = torch.tensor(documents(3, seed=2))[:, :8]
    state = model.initial_state(3, 4)  # less than is read: it grows
    model(rows, state)
    state = state.select(torch.tensor([2, 0])).truncate(5)
    found = model.logits(model(rows[[2, 0], 5:6], state).features).exp()
    assert torch.equal(found[:, 0], probabilities(model, rows[[2, 0], :6])[:, -1])


def test_tables_follow_the_counts() -> None:
    model, rows = learn(ngram(order=3), torch.tensor(documents())), torch.tensor(documents(2, seed=5))
    before = probabilities(model, rows)
    other = copy.deepcopy(model)
    learn(other, rows)
    assert not torch.equal(probabilities(other, rows), before)
    assert torch.equal(probabilities(model, rows), before)
    model.ngrams, model.counts = ngram(order=3).ngrams, ngram(order=3).counts  # as a checkpoint is put in
    assert torch.allclose(probabilities(model, rows), torch.full_like(before, 1 / V))
    assert len(other.state_dict()["counts"]) > len(learn(ngram(order=3), rows).state_dict()["counts"])  # none is left out


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    with raises_code("ngram-processes"):
        learn(ngram(), torch.tensor(documents(1)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ngram")
    text = folder / "text.txt"
    text.write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(150)))
    recipe = Recipe(
        tokenizer="byte",
        builder="next-token",
        model=Choice("ngram"),
        optimizer="adamw",
        sampler="temperature",
        data=text,
        training={"budget": "60s", "batch_size": 8, "context_length": 32},
        machine={"device": "cpu", "threads": 1, "compile": "off"},
        generation={"max_tokens": 8, "samples": 2, "prompt": "1 c"},
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(folder / "cache"))
        result = run(recipe, out=folder / "run")
    assert result.evaluation is not None and result.evaluation.scores["bits_per_byte"] < 1.2
    return folder / "run"


def test_a_run_counts_the_text_once(trained: Path) -> None:
    model = open_run(trained).model
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    steps = max(line["step"] for line in lines if line["kind"] == "step")
    assert int(model.counts.sum()) == steps * 8 * 32
    n_tokens = sum(len(f"{number} cats sat on mat {number * 7 % 13}.\n\n") for number in range(150))
    assert 0.85 * n_tokens < int(model.counts.sum()) < 1.05 * n_tokens


def test_a_run_is_opened_judged_and_writes(trained: Path) -> None:
    opened = open_run(trained)
    assert all(len(sample.tokens) > 0 for sample in opened.generate("1 c", max_tokens=8, samples=2))
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    written = [line for line in lines if line["kind"] == "evaluation"][-1]
    assert opened.evaluate().scores["bits_per_byte"] == written["bits_per_byte"]
