"""Spans taken out of a text: numbers by hand, and any text put together again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad import IGNORED, Choice, Evaluated, RunResult, Tokens, open_run
from pentad.testing import EvaluatorConformance, ExampleBuilderConformance
from pentad.testing.subjects import Bytes, Table, random_table
from pentad_masking.options import SpanOptions
from pentad_masking.spans import SpanCorruption

from .conftest import END as E
from .conftest import text

S0, S1 = 10, 11
_ = IGNORED


def builder(context_length: int, **options: object) -> SpanCorruption:
    return SpanCorruption(SpanOptions(**options), context_length=context_length, vocab_size=10, end_of_text=E)


class TestT5(ExampleBuilderConformance):
    name = "span-corruption"


class TestUL2(ExampleBuilderConformance):
    name = "span-corruption"
    options = {"mixture": "ul2", "sentinels": 4}
    context_length = 16


def test_every_span_of_one_token_in_three() -> None:
    made = builder(8, rate=0.3, span_length=1)  # of three tokens one is taken out
    batch = made.build(text(E, 1, 2, 3, E), np.arange(100), 1)
    found = {(tuple(row), tuple(said)) for row, said in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True)}
    assert found == {
        ((E, S0, 2, 3, S0, 1, E, E), (_, _, _, _, 1, E, _, _)),
        ((E, 1, S0, 3, S0, 2, E, E), (_, _, _, _, 2, E, _, _)),
        ((E, 1, 2, S0, S0, 3, E, E), (_, _, _, _, 3, E, _, _)),
    }


@pytest.mark.parametrize("mixture", ["t5", "ul2"])
def test_a_document_longer_than_a_row_needs_as_much_as_in_a_row_that_holds_it(mixture: str) -> None:
    assert builder(8, mixture=mixture).positions(60) == builder(100, mixture=mixture).positions(60) > 60


def test_the_tokens_between_spans_are_learned() -> None:
    made = builder(12, rate=0.5, span_length=1)
    batch = made.build(text(E, 1, 2, 3, 4, E), np.arange(100), 1)
    found = {(tuple(row), tuple(said)) for row, said in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True)}
    one = ((E, S0, 2, S1, 4, S0, 1, S1, 3, E, E, E), (_, _, _, _, _, 1, S1, 3, E, _, _, _))
    other = ((E, 1, S0, 3, S1, S0, 2, S1, 4, E, E, E), (_, _, _, _, _, 2, S1, 4, E, _, _, _))
    last = ((E, S0, 2, 3, S1, S0, 1, S1, 4, E, E, E), (_, _, _, _, _, 1, S1, 4, E, _, _, _))
    assert found == {one, other, last}  # no two spans meet


def test_numbers_of_spans_are_those_of_t5() -> None:
    made = builder(512)
    assert made._numbers(512, 3.0, 0.15) == (77, 26)  # T5: 512 tokens, of which 77 are noise in 26 spans
    assert made._numbers(1, 3.0, 0.15) == (1, 1)
    assert builder(512, sentinels=8)._numbers(512, 3.0, 0.15) == (77, 8)


def restored(read: list[int], first: int, n_sentinels: int, modes: int) -> list[int]:
    """Put spans back into their places."""
    assert read[0] == E
    body = read[1 + modes :]
    sentinels = [place for place, token in enumerate(body) if first <= token < first + n_sentinels]
    half = len(sentinels) // 2
    assert [body[place] for place in sentinels] == [first + number for number in range(half)] * 2
    spans = [body[a + 1 : b] for a, b in zip(sentinels[half:], [*sentinels[half + 1 :], len(body)], strict=True)]
    whole: list[int] = []
    for token in body[: sentinels[half]]:
        whole += spans[token - first] if first <= token < first + n_sentinels else [token]
    return whole


@given(
    documents=st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=20), min_size=1, max_size=5),
    seed=st.integers(0, 2**40),
    options=st.sampled_from([{}, {"rate": 0.5, "span_length": 2.0}, {"mixture": "ul2"}, {"rate": 0.4, "sentinels": 2}]),
)
def test_spans_put_back_give_the_text(documents: list[list[int]], seed: int, options: dict[str, object]) -> None:
    tokens = text(E, *[token for document in documents for token in (*document, E)])
    made = builder(64, **options)
    batch = made.build(tokens, np.arange(made.count(tokens)), seed)
    segments = np.zeros_like(batch.inputs) if batch.segments is None else batch.segments
    found = []
    for row in range(len(batch.inputs)):
        for number in range(segments[row].max() + 1):
            part = segments[row] == number
            read, said = batch.inputs[row, part].tolist(), batch.targets[row, part].tolist()
            if set(said) == {IGNORED}:
                continue
            assert said[-1] == E
            last = read.index(10) + 1 + read[read.index(10) + 1 :].index(10)  # where the spans begin
            assert set(said[:last]) == {IGNORED} and IGNORED not in said[last:]
            assert read[last + 1 :] == said[last:-1]
            found.append(restored(read, 10, made.options.sentinels, bool(made.modes)))
    assert sorted(found) == sorted(documents)


def test_ul2_says_its_mode_and_the_end_of_a_text_is_one_span() -> None:
    made = builder(32, mixture="ul2", sentinels=4)
    r, s, x = made.modes
    assert (r, s, x) == (14, 15, 16) and len(made.special_tokens) == 7
    batch = made.build(text(E, *[1, 2, 3, 4, 5, 6, 7, 8] * 2, E), np.arange(700), 2)
    modes, counts = np.unique(batch.inputs[:, 1], return_counts=True)
    assert modes.tolist() == [r, s, x]
    assert np.abs(counts - np.array([200, 100, 400])).max() < 65  # of seven, two, one and four
    for row in batch.inputs[batch.inputs[:, 1] == s].tolist():
        place = row.index(10)
        assert row[place + 1] == 10 and row[2:place] + row[place + 2 : 20] == [1, 2, 3, 4, 5, 6, 7, 8] * 2


def test_a_gap_and_the_end_of_a_text_are_asked_for_as_a_span() -> None:
    before, after = np.array([1, 2]), np.array([3])
    assert builder(40).gap_prompt(before, after).tolist() == [E, 1, 2, S0, 3, S0]
    assert builder(40).gap_prompt(before, after[:0]).tolist() == [E, 1, 2, S0, S0]
    mixed = builder(40, mixture="ul2", sentinels=2)
    assert mixed.gap_prompt(before, after)[1] == mixed.modes[0] and mixed.gap_prompt(before, after[:0])[1] == mixed.modes[1]


def test_the_plan_says_what_is_taken_out() -> None:
    tokens = text(E, 1, 2, 3, 4, 5, 6, E)
    assert builder(20).describe(tokens) == "15% of them in spans of 3 taken out, 50.0% padding"
    assert builder(20, mixture="ul2").describe(tokens).startswith("UL2's mixture of spans taken out")


class TestSpanLikelihood(EvaluatorConformance):
    name = "span-likelihood"

    def runs(self) -> list[Evaluated]:
        made = SpanCorruption(SpanOptions(sentinels=3), context_length=16, vocab_size=257, end_of_text=256)
        return [*super().runs(), Evaluated(tokenizer=Bytes(), builder=made, model=Table(random_table(260)).eval())]


@pytest.fixture(scope="module")
def spans(train: Callable[..., RunResult]) -> RunResult:
    return train(Choice("span-corruption"), Choice("gpt", n_layer=1, n_embd=16, n_head=2))


def test_a_run_is_judged_by_its_spans_and_fills_gaps(spans: RunResult) -> None:
    assert spans.evaluation is not None and spans.evaluation.primary == "span_bits_per_byte"
    assert 0 < spans.evaluation.score < 8.5 and 0 < spans.evaluation.n_bytes < 1000
    opened = open_run(spans.folder)
    assert opened.fills == "gap" and opened.evaluate().scores == spans.evaluation.scores
    assert opened.evaluate(evaluator="bits-per-byte").bits_per_byte > 0
    (sample,) = opened.fill(["The 1 cats", " dogs."], max_tokens=6, seed=1)
    assert (sample.prompt, sample.suffix) == ("The 1 cats", " dogs.") and len(sample.tokens) <= 6
    longer = opened.generate("The 1 cats", max_tokens=6, seed=1)[0]
    streamed = "".join(event.text for event in opened.stream("The 1 cats", limits=None))
    assert longer.prompt == "The 1 cats" and isinstance(streamed, str)
    assert all(token < 257 for token in sample.tokens), "a token that stands for a span ends the text and is no part of it"


def test_a_bidirectional_run_is_not_judged_by_spans(spans: RunResult) -> None:
    opened = open_run(spans.folder)
    assert isinstance(opened.builder, SpanCorruption) and isinstance(text(E, E), Tokens)
    opened.model.causal = False
    from pentad_masking.options import SpanScoreOptions
    from pentad_masking.span_evaluator import SpanLikelihood

    run = Evaluated(tokenizer=opened.tokenizer, builder=opened.builder, model=opened.model)
    assert SpanLikelihood(SpanScoreOptions()).supports(run)
