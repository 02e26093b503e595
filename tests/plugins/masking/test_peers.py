"""What is hidden and taken out, against others: transformers' collator, T5's mask as its paper's code draws it, UL2's table."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch

from pentad import IGNORED, Tokens
from pentad_masking.masked import Masked
from pentad_masking.options import MaskedOptions, SpanOptions
from pentad_masking.spans import UL2, SpanCorruption

SIZE, END, MASK = 200, 199, 200
ROWS, LENGTH = 1500, 64


def alike(one: float, other: float, n: int) -> bool:
    """Whether two shares of n draws each are within four standard deviations of their difference."""
    mean = (one + other) / 2
    return abs(one - other) < 4 * math.sqrt(2 * mean * (1 - mean) / n)


@pytest.fixture(scope="module")
def bert():
    """Inputs and targets (N, T) of transformers' collator, and the ids (N, T) that it was given."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    words = {f"w{number}": number for number in range(SIZE)} | {"[MASK]": MASK}
    model = tokenizers.models.WordLevel(words, unk_token="w0")
    cuts = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(model), mask_token="[MASK]", pad_token=f"w{END}"
    )
    collator = transformers.DataCollatorForLanguageModeling(cuts, mlm_probability=0.15, seed=0)
    ids = torch.randint(SIZE - 1, (ROWS, LENGTH), generator=torch.Generator().manual_seed(0))
    ids[:, ::16] = END  # special, and never hidden
    collator.create_rng()
    inputs, targets = collator.torch_mask_tokens(ids.clone(), special_tokens_mask=(ids == END).long())
    return inputs.numpy(), targets.numpy(), ids.numpy()


@pytest.fixture(scope="module")
def ours(bert):
    stream = np.append(bert[2].reshape(-1), END)
    made = Masked(MaskedOptions(), context_length=LENGTH, vocab_size=SIZE, end_of_text=END)
    batch = made.build(Tokens.of(stream.astype(np.uint16), END), np.arange(ROWS), 0)
    return batch.inputs, batch.targets, np.where(batch.targets == IGNORED, batch.inputs, batch.targets)


def shares(inputs: np.ndarray, targets: np.ndarray, ids: np.ndarray) -> tuple[float, int, list[float]]:
    """How many of all tokens are learned, and of these how many became the mask, another token, and themselves."""
    learned = targets >= 0
    shown, meant = inputs[learned], ids[learned]
    kinds = [shown == MASK, (shown != MASK) & (shown != meant), shown == meant]
    return learned.sum() / (ids != END).sum(), int(learned.sum()), [float(kind.mean()) for kind in kinds]


def test_masked_hides_as_much_as_transformers_and_in_the_same_ways(bert, ours) -> None:
    (rate, n, kinds), (their_rate, _, their_kinds) = shares(*ours), shares(*bert)
    assert n > 10_000
    assert alike(rate, their_rate, ROWS * LENGTH * 15 // 16) and rate == pytest.approx(0.15, abs=0.005)
    assert all(alike(one, other, n) for one, other in zip(kinds, their_kinds, strict=True))
    assert kinds == pytest.approx([0.8, 0.1, 0.1], abs=0.015)


def test_masked_hides_each_token_by_itself_as_transformers_does(bert, ours) -> None:
    """The counts of rows are binomial: 60 tokens at 0.15 have a mean of 9 and a variance of 7.65. No end is hidden."""
    for _, targets, ids in (bert, ours):
        counts = (targets >= 0).sum(axis=1)
        assert counts.mean() == pytest.approx(9, abs=4 * math.sqrt(7.65 / ROWS))
        assert counts.var() == pytest.approx(7.65, rel=4 * math.sqrt(2 / ROWS))
        assert not (targets[ids == END] >= 0).any()


def test_masked_draws_other_tokens_evenly(ours) -> None:
    inputs, targets, ids = ours
    other = inputs[(targets >= 0) & (inputs != MASK) & (inputs != ids)]
    counts = np.bincount(other, minlength=SIZE)
    assert counts[END] == 0 and len(counts) == SIZE
    expected = len(other) / (SIZE - 1)
    chi_squared = ((counts[:END] - expected) ** 2 / expected).sum()
    assert abs(chi_squared - (SIZE - 2)) < 5 * math.sqrt(2 * (SIZE - 2))


def segments_of(items: int, number: int, generator: np.random.Generator) -> list[int]:
    """So many lengths from 1 on that add up to `items`: the marks that begin a segment are shuffled, as in T5."""
    marks = generator.permutation(np.arange(items - 1) < number - 1)
    return np.diff([0, *(np.flatnonzero(marks) + 1), items]).tolist()


def noise_mask_of_t5(length: int, density: float, mean: float, generator: np.random.Generator) -> np.ndarray:
    """Raffel et al., 2020, section 3.1.4, as their code draws it: kept and noise segments in turn, a kept one first."""
    noise = min(max(round(length * density), 1), length - 1)
    number = max(round(noise / mean), 1)
    lengths = zip(segments_of(length - noise, number, generator), segments_of(noise, number, generator), strict=True)
    return np.concatenate([np.repeat([False, True], pair) for pair in lengths])


def runs_of(mask: np.ndarray) -> list[int]:
    edges = np.diff(np.concatenate([[0], mask.astype(int), [0]]))
    return (np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)).tolist()


def spans_of(length: int, rows: int, density: float, mean: float) -> list[list[int]]:
    """The lengths of the spans that the builder takes out of texts of so many tokens, for each of the rows."""
    options = SpanOptions(rate=density, span_length=mean, sentinels=100)
    made = SpanCorruption(options, context_length=2 * length + 250, vocab_size=SIZE, end_of_text=END)
    tokens = Tokens.of(np.array([END, *([1] * length), END], dtype=np.uint16), END)
    batch = made.build(tokens, np.arange(rows), 0)
    found = []
    for row in batch.inputs.tolist():
        ids = row[: row.index(END, 1)] if END in row[1:] else row
        starts = [place for place, token in enumerate(ids) if token >= SIZE]
        written = [*starts[len(starts) // 2 :], len(ids)]
        found.append([after - before - 1 for before, after in itertools.pairwise(written)])
    return found


@pytest.mark.parametrize(("density", "mean"), [(0.15, 3.0), (0.15, 8.0), (0.5, 3.0), (0.5, 64.0)])
@pytest.mark.parametrize("length", [2, 7, 30, 114, 512])
def test_as_many_spans_and_tokens_are_taken_out_as_by_t5(length: int, density: float, mean: float) -> None:
    (ours,) = {(len(spans), sum(spans)) for spans in spans_of(length, 3, density, mean)}
    theirs = runs_of(noise_mask_of_t5(length, density, mean, np.random.default_rng(0)))
    assert ours == (len(theirs), sum(theirs))


def test_spans_are_as_long_as_those_of_t5() -> None:
    """114 tokens have 17 of noise in 6 spans. Of all 4,368 ways to cut them a span has length l in C(16 - l, 4)."""
    rows, generator = 1000, np.random.default_rng(1)
    draws = spans_of(114, rows, 0.15, 3.0), [runs_of(noise_mask_of_t5(114, 0.15, 3.0, generator)) for _ in range(rows)]
    for found in draws:
        for place in (0, 5):  # the first and the last span of a text
            counts = Counter(spans[place] for spans in found)
            expected = {length: rows * math.comb(16 - length, 4) / math.comb(16, 5) for length in range(1, 13)}
            assert sum(expected.values()) == pytest.approx(rows)
            few = [length for length in expected if expected[length] < 10]
            chi_squared = sum((counts[length] - n) ** 2 / n for length, n in expected.items() if length not in few)
            n_few, rare = sum(expected[length] for length in few), sum(counts[length] for length in few)
            degrees = len(expected) - len(few)
            assert chi_squared + (rare - n_few) ** 2 / n_few < degrees + 4 * math.sqrt(2 * degrees)


def test_ul2_has_the_seven_denoisers_of_its_table() -> None:
    """Tay et al., 2022, table 1: mean span and rate of each; S hides a quarter, as a single span at the end."""
    r, s, x = "mode_r", "mode_s", "mode_x"
    made = SpanCorruption(SpanOptions(mixture="ul2"), context_length=64, vocab_size=SIZE, end_of_text=END)
    names = [token.name for token in made.special_tokens if token.name.startswith("mode")]
    assert names == [r, s, x]
    assert sorted((names[mode], mean, rate) for mode, mean, rate in UL2 if names[mode] != s) == [
        (r, 3, 0.15),
        (r, 8, 0.15),
        (x, 3, 0.5),
        (x, 8, 0.5),
        (x, 64, 0.15),
        (x, 64, 0.5),
    ]
    assert [(mean, rate) for mode, mean, rate in UL2 if names[mode] == s] == [(0, 0.25)]
    assert made.denoisers == UL2


def test_ul2s_end_of_a_text_is_a_quarter_of_it_on_average() -> None:
    made = SpanCorruption(SpanOptions(mixture="ul2"), context_length=300, vocab_size=SIZE, end_of_text=END)
    tokens = Tokens.of(np.array([END, *([1] * 100), END], dtype=np.uint16), END)
    batch = made.build(tokens, np.arange(2000), 0)
    rows = batch.inputs[batch.inputs[:, 1] == made.modes[1]].tolist()  # one in seven
    taken = [100 - (row.index(SIZE) - 2) for row in rows]  # what is not read before the span's token
    assert len(rows) == pytest.approx(2000 / 7, abs=5 * math.sqrt(2000 * 6 / 49))
    assert np.mean(taken) == pytest.approx(25.5, abs=4 * 14.5 / math.sqrt(len(taken)))  # 1 to 50, evenly
