from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from pentad import Advice, ModelCost, Situation, option, size_model
from pentad_gpt.options import GPTOptions
from pentad_gpt.sizing import flops_per_token


@dataclass(frozen=True, kw_only=True)
class Shape:
    n_layer: int = option(1, "Layers.", ge=1)
    width: int = option(8, "Features.", ge=1)
    dropout: float = option(0.0, "Share dropped.", ge=0, lt=1)


SIZES = [Shape(n_layer=number, width=10 ** (number + 1)) for number in range(1, 6)]
OPEN = frozenset({"n_layer", "width", "dropout"})
TEXT = {"train_bytes": 10**6, "n_train_tokens": 400_000, "open": OPEN}


def cost(size: Shape, situation: Situation) -> ModelCost:
    return ModelCost(parameters=size.width, flops_per_token=6 * size.width, memory=28 * size.width)


def chosen(sizes: list[Shape] = SIZES, **known: object) -> Advice | None:
    situation = Situation(**{**TEXT, **known})
    return size_model(Shape(), situation, sizes, cost, fields=("n_layer", "width"))


def test_the_largest_that_the_budget_feeds() -> None:
    assert chosen(flops=6 * 1.6 * 10**8).values["width"] == 10**4  # 1.6 tokens a parameter
    assert chosen(flops=6 * 1.5 * 10**8).values["width"] == 10**3
    assert chosen(flops=1.0).values["width"] == 100  # none fits: the smallest


def test_no_larger_than_the_text_and_the_memory_allow() -> None:
    assert chosen(flops=1e20).values["width"] == 10**6  # 7 parameters a token: 2.8 million
    assert chosen(flops=1e20, n_train_tokens=40_000).values["width"] == 10**5
    assert chosen(flops=1e20, free_memory=28 * 1.2e5).values["width"] == 10**4


def test_dropout_and_the_end_go_by_passes() -> None:
    few, many = chosen(flops=6 * 10**4 * 4e5), chosen([SIZES[0]], flops=6 * 100 * 4e5 * 18)
    assert (few.values["dropout"], many.values["dropout"]) == (0.0, 0.3)
    assert few.max_tokens == many.max_tokens == 20 * 400_000
    assert "dropout 0.3 for 18.0 passes" in many.reason


def test_passes_are_those_of_the_training_and_not_of_the_fewest_examples() -> None:
    def longer(size: Shape, situation: Situation) -> ModelCost:
        """Cost 2.5 times as much in rows of 512 tokens as in those of 128."""
        return ModelCost(parameters=size.width, flops_per_token=6 * size.width * (1 + situation.context_length / 128), memory=0)

    def reasons(**known: object) -> tuple[int, str]:
        situation = Situation(**{**TEXT, "flops": 12 * 100 * 4e5 * 18, **known})
        advice = size_model(Shape(), situation, [SIZES[0]], longer, fields=("n_layer", "width"))
        return advice.values["width"], advice.reason

    assert "18.0 passes" in reasons()[1]
    assert reasons(trained_context_length=512)[0] == reasons()[0] and "7.2 passes" in reasons(trained_context_length=512)[1]


def test_a_small_text_has_less_dropout() -> None:
    small = chosen([SIZES[0]], flops=6 * 100 * 4e4 * 18, n_train_tokens=40_000)
    assert small.values["dropout"] == 0.2


def test_only_what_is_open_is_sized() -> None:
    advice = chosen(flops=1e12, open=frozenset({"dropout"}))
    assert set(advice.values) == {"dropout"}
    assert dataclasses.replace(Shape(), **chosen(flops=1e12).values).n_layer == chosen(flops=1e12).values["n_layer"]


def test_nothing_is_said_without_sizes_or_a_budget() -> None:
    assert chosen([], flops=1e12) is None
    assert chosen() is None


@pytest.mark.parametrize(("layers", "width"), [(2, 32), (2, 64), (2, 128), (4, 128), (6, 256)])
def test_arithmetic_is_turned_into_steps_about_as_gpt_spends_it(layers: int, width: int) -> None:
    size, per_step = GPTOptions(n_layer=layers, n_embd=width, n_head=2), 8 * 128
    flops_per_step = per_step * flops_per_token(size, Situation(train_bytes=1, vocab_size=1024))
    count = 12 * layers * width**2
    known = Situation(train_bytes=1, flops=1000 * flops_per_step, vocab_size=1024, n_parameters=count)
    assert known.n_steps == pytest.approx(1000, rel=0.3)
    assert dataclasses.replace(known, max_tokens=300 * per_step).n_steps == 300


def test_steps_are_known_where_tokens_are_and_of_arithmetic_only_with_a_model() -> None:
    assert Situation(train_bytes=1, tokens=50 * 1024).n_steps == 50
    assert Situation(train_bytes=1, flops=1e12).n_steps == 0 == Situation(train_bytes=1, n_parameters=10**6).n_steps
