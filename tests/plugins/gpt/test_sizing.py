"""Sizes of the transformer: they grow with the budget, stop at what the text feeds, and keep what was given."""

from __future__ import annotations

import dataclasses

import pytest

from pentad import Choice, Situation, make
from pentad_gpt.options import GPTOptions
from pentad_gpt.sizing import LADDER, advise, compute_parameters, cost, flops_per_token, table_parameters

OPEN = frozenset(field.name for field in dataclasses.fields(GPTOptions))
TEXT = {"train_bytes": 1_000_000, "n_train_tokens": 400_000, "vocab_size": 1024}


def size_of(flops: float | None, **changes) -> int:
    values = advise(GPTOptions(), Situation(**{**TEXT, "flops": flops, "open": OPEN, **changes})).values
    return compute_parameters(dataclasses.replace(GPTOptions(), **values), 1024)


def test_more_arithmetic_makes_it_larger_until_the_text_is_used_up():
    sizes = [size_of(10.0**exponent) for exponent in range(10, 19)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[3] < sizes[5]
    assert sizes[-1] == sizes[-2], "more time makes it no larger where the text cannot feed it"
    assert size_of(1e18, train_bytes=10**9, n_train_tokens=4 * 10**8) > sizes[-1]


def test_memory_bounds_it():
    text = {"train_bytes": 10**12, "n_train_tokens": 3 * 10**11}
    assert size_of(1e20, **text, free_memory=1e9) < size_of(1e20, **text, free_memory=1e11)


def test_more_passes_mean_more_dropout_and_an_end():
    few, many = (advise(GPTOptions(), Situation(**TEXT, flops=flops, open=OPEN)) for flops in (1e11, 1e16))
    assert few.values["dropout"] == 0 < many.values["dropout"]
    assert few.max_tokens == many.max_tokens
    assert few.max_tokens > 400_000


def test_a_small_text_is_passed_more_often():
    """20 passes of 3 kB would be 70 steps, at which a model has hardly begun."""
    passes = [
        advise(GPTOptions(), Situation(train_bytes=2 * n, n_train_tokens=n, vocab_size=300, flops=1e14, open=OPEN)).max_tokens
        / n
        for n in (2_000, 12_500, 50_000, 400_000)
    ]
    assert passes == pytest.approx([100, 40, 20, 20])


def test_given_options_are_kept_and_the_rest_fits_them():
    for given in ({"n_embd": 96}, {"n_head": 4}, {"n_layer": 5}, {"n_embd": 100, "n_head": 2}, {"n_kv_head": 3}):
        options = GPTOptions(**given) if "n_kv_head" not in given else GPTOptions(n_head=3, n_embd=96, n_kv_head=3)
        advice = advise(options, Situation(**TEXT, flops=1e13, open=OPEN - given.keys()))
        assert not given.keys() & advice.values.keys()
        dataclasses.replace(options, **advice.values)  # refuses what does not fit together


def test_nothing_is_said_where_the_budget_is_unknown():
    assert advise(GPTOptions(), Situation(train_bytes=1000, open=OPEN)) is None


def test_an_amount_of_text_is_bounded_by_the_hours_that_it_would_take():
    text = {**TEXT, "train_bytes": 10**9, "n_train_tokens": 4 * 10**8, "tokens": 1e9}
    assert size_of(None, **text, flops_per_second=1e10) < size_of(None, **text, flops_per_second=1e14)


@pytest.mark.parametrize(("n_layer", "n_embd"), LADDER[:6])
def test_parameters_are_counted_as_the_model_has_them(n_layer, n_embd):
    n_head = 2 if n_embd % 2 == 0 else 1
    model = make("model", Choice("gpt", n_layer=n_layer, n_embd=n_embd, n_head=n_head), vocab_size=300, context_length=8)
    options = GPTOptions(n_layer=n_layer, n_embd=n_embd, n_head=n_head)
    total = sum(parameter.numel() for parameter in model.parameters())
    assert compute_parameters(options, 300) == total - 300 * n_embd


@pytest.mark.parametrize("n_layer", [2, 3])
def test_tables_and_gates_are_counted_too(n_layer):
    given = {
        "n_layer": n_layer,
        "n_head": 2,
        "n_embd": 64,
        "n_kv_head": 1,
        "previous_tokens": 2,
        "bigram_hash": 100,
        "trigram_hash": 50,
        "value_embeddings": True,
    }
    given |= {"head_gate": True, "head_gate_channels": 12}
    model = make("model", Choice("gpt", **given), vocab_size=300, context_length=8)
    sizes = dict.fromkeys(model.roles().values(), 0)
    for name, role in model.roles().items():
        sizes[role] += model.get_parameter(name).numel()
    assert compute_parameters(GPTOptions(**given), 300) == sizes["matrix"] + sizes["head"]
    assert table_parameters(GPTOptions(**given), 300) == sizes["embedding"]


def test_a_large_table_of_pairs_takes_room():
    text = Situation(train_bytes=10**12, n_train_tokens=3 * 10**11, vocab_size=1024, flops=1e20, free_memory=4e9, open=OPEN)
    assert cost(GPTOptions(bigram_hash=10**5), text).memory - cost(GPTOptions(), text).memory == 28 * 10**5 * 128
    widths = [advise(GPTOptions(bigram_hash=rows), text).values["n_embd"] for rows in (0, 10**5)]
    assert widths[1] < widths[0]


def test_operations_are_those_that_are_counted_of_a_step():
    # 2 layers x 128, context 128, 1,024 ids: torch's counter says 3,623,878,656 for 8 rows.
    situation = Situation(train_bytes=1, vocab_size=1024, context_length=128)
    assert flops_per_token(GPTOptions(n_layer=2, n_embd=128, n_head=2), situation) * 1024 == pytest.approx(
        3_623_878_656, rel=0.02
    )
