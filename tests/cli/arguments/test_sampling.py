"""Sampling flags as everyone types them become the sampler, or the chain, that they mean."""

from __future__ import annotations

import pytest

from pentad import Catalogue, Choice
from pentad.testing import raises_code
from pentad_cli.arguments.sampling import sampler_choice

TOP_K = Choice("top-k", k=50, temperature=1.0)


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue()


@pytest.mark.parametrize(
    ("base", "flags", "meant"),
    [
        (TOP_K, {}, TOP_K),
        (TOP_K, {"temperature": 0.5}, Choice("top-k", k=50, temperature=0.5)),
        (TOP_K, {"temperature": 0.0}, Choice("greedy")),
        (TOP_K, {"top-p": 0.9, "temperature": 0.0}, Choice("greedy")),
        (TOP_K, {"top-k": 5}, Choice("top-k", k=5)),
        (TOP_K, {"top-p": 0.9}, Choice("top-p", p=0.9)),
        (Choice("greedy"), {"temperature": 0.5}, Choice("temperature", temperature=0.5)),
        (
            TOP_K,
            {"min-p": 0.1, "top-p": 0.9, "top-k": 5, "temperature": 2.0},
            Choice(
                "temperature+top-k+top-p+min-p",
                **{"temperature.temperature": 2.0, "top-k.k": 5, "top-p.p": 0.9, "min-p.p": 0.1},
            ),
        ),
    ],
)
def test_what_is_meant(base, flags, meant, catalogue):
    assert sampler_choice(base, False, flags, catalogue) == meant


def test_a_named_sampler_keeps_its_temperature_alone(catalogue):
    assert sampler_choice(TOP_K, True, {"temperature": 0.5}, catalogue).options["temperature"] == 0.5
    for base, flags in ((TOP_K, {"top-k": 5}), (Choice("greedy"), {"temperature": 0.5})):
        with raises_code("options-conflict"):
            sampler_choice(base, True, flags, catalogue)
