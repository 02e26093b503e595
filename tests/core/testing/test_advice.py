"""The kit sees each way in which an advice on sizes can be wrong."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from torch import nn

from pentad import Advice, Implementation, option
from pentad.testing import ModelConformance


@dataclass(frozen=True, kw_only=True)
class Options:
    width: int = option(8, "A width.", ge=1, le=10**6)
    heads: int = option(1, "Divides the width.", ge=1)

    def __post_init__(self):
        if self.width % self.heads:
            raise ValueError("heads must divide the width")


class Wide(nn.Module):
    """As large as a model of that width would be; no more than its parameters is looked at."""

    def __init__(self, options, vocab_size, context_length):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, options.width)


def outcome(advise, check):
    class Kit(ModelConformance):
        implementation = Implementation(name="wide", summary="", factory=Wide, options=Options, advise=advise)

    return Kit().run(check)


def says(**values):
    return lambda options, situation: Advice(values={k: v for k, v in values.items() if k in situation.open})


counter = itertools.count(1)


@pytest.mark.parametrize(
    "advise",
    [
        lambda options, situation: {"width": 3},
        lambda options, situation: Advice(values={"width": next(counter)}),
        says(width=0),
        lambda options, situation: Advice(values={"depth": 3}),
        says(width=10**6),
        lambda options, situation: 1 / 0,
    ],
    ids=["no advice", "another each time", "out of bounds", "no option", "larger than memory", "raises"],
)
def test_a_wrong_advice_fails(advise):
    assert outcome(advise, "advice_fits").outcome == "failed"


def test_what_does_not_fit_together_with_a_given_option_fails():
    def advise(options, situation):
        return Advice(values={"width": 9, "heads": 3})  # 3 does not divide the default width of 8

    assert outcome(advise, "advice_fits").outcome == "passed"
    assert outcome(advise, "advice_leaves_what_was_given").outcome == "failed"


@pytest.mark.parametrize("advise", ["", says(width=16), lambda options, situation: None])
def test_a_right_advice_and_none_pass(advise):
    for check in ("advice_fits", "advice_leaves_what_was_given"):
        result = outcome(advise, check)
        assert result.outcome == "passed", result.note
