"""Rounded weights: the same text twice, a stated bound, and a clear refusal where they cannot be."""

from __future__ import annotations

import pytest
import torch

from pentad import Choice, Limits, open_run, run
from pentad.inference.rounding import LARGEST_DIFFERENCE, logit_difference, round_weights
from pentad.testing import raises_code

products = pytest.importorskip("pentad_gpt.products")
pytestmark = pytest.mark.skipif(not products.int8_is_there(), reason="this build of torch has no products of int8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, cache, tiny_recipe):
    path = tmp_path_factory.mktemp("rounding")
    (path / "text.txt").write_text("a cat sat on the mat, and the dog ran. " * 60)
    run(tiny_recipe(path / "text.txt", steps=10, model=Choice("gpt", n_layer=1, n_head=2, n_embd=32)), out=path / "run")
    return path / "run"


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch, cache):
    monkeypatch.setattr(products, "INT8_FROM", 0)


def test_the_same_seed_writes_the_same_text_whatever_is_written_beside_it(folder):
    saved = open_run(folder, weights="int8", device="cpu")
    texts = [sample.text for sample in saved.generate("a ", max_tokens=12, samples=3, seed=5)]
    assert [sample.text for sample in saved.generate("a ", max_tokens=12, samples=3, seed=5)] == texts
    (alone,) = open_run(folder, weights="int8", device="cpu").generate("a ", max_tokens=12, seed=5)
    assert alone.text == texts[0]


def test_the_logits_are_within_the_bound_and_rounded(folder):
    assert logit_difference(open_run(folder, device="cpu").session) < 1e-4
    saved = open_run(folder, weights="int8", device="cpu")
    assert saved.machine.precision == "fp32"
    assert 1e-4 < logit_difference(saved.session) <= LARGEST_DIFFERENCE


def test_scores_are_those_of_the_weights_as_trained(folder):
    exact, rounded = open_run(folder, device="cpu"), open_run(folder, weights="int8", device="cpu")
    assert rounded.session.score("a cat sat").nats == pytest.approx(exact.session.score("a cat sat").nats, rel=1e-5)


def test_too_far_is_refused_and_the_weights_stay(folder, monkeypatch):
    multiply, saved = products._multiply, open_run(folder, device="cpu")
    products._steps()  # which knows its product
    monkeypatch.setattr(products, "_multiply", lambda *args: 3 * multiply(*args))
    with raises_code("weights-too-far"):
        round_weights(saved.session, "int8")
    assert logit_difference(saved.session) < 1e-4


def test_what_does_not_offer_them_is_refused(folder, monkeypatch):
    with raises_code("weights-not-offered"):
        open_run(folder, weights="int3", device="cpu")
    monkeypatch.setattr(products, "INT8_FROM", 1 << 17)
    monkeypatch.setattr("pentad.inference.session.ModelSession.device", torch.device("meta"))
    with raises_code("weights-not-here"):
        open_run(folder, weights="int8", device="cpu")


def test_a_prompt_of_several_tokens_and_a_full_context_go_on(folder):
    saved = open_run(folder, weights="int8", device="cpu")
    limits = Limits(max_tokens=40, samples=2, ignore_end=True)
    assert all(len(sample.tokens) == 40 for sample in saved.generate("the dog ran", limits=limits))
