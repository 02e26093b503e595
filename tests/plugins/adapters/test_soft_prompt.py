"""Prompt tuning: what peft computes, in rows, in packed rows and from states."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from pentad import Catalogue, Choice, SpecialToken, Vocabulary, make
from pentad.testing import AdapterConformance, raises_code
from pentad.testing.subjects import session_of
from pentad_adapters.options import SoftPromptOptions
from pentad_adapters.soft_prompt import SoftPrompt
from pentad_adapters.unpacking import unpacked

CATALOGUE = Catalogue()
LENGTH, CONTEXT = 3, 12


def model(vocab_size=29, position="rotary", name="gpt", **options):
    torch.manual_seed(0)
    given = {"n_layer": 2, "n_head": 2, "n_embd": 16, "position": position, "zero_init_projections": False, **options}
    choice = Choice("rnn", n_layer=1, n_embd=16) if name == "rnn" else Choice("gpt", **given)
    return make("model", choice, catalogue=CATALOGUE, vocab_size=vocab_size, context_length=CONTEXT + LENGTH).eval()


def prompted(given=None, **options):
    made = given or model()
    torch.manual_seed(1)
    adapter = SoftPrompt(SoftPromptOptions(length=LENGTH, **options), vocabulary=None)
    adapter.apply(made)
    with torch.no_grad():
        made.soft_prompt.weight.add_(0.3 * torch.randn_like(made.soft_prompt.weight))
    return made


RECORD = CATALOGUE.find("adapter", "soft-prompt").record


class TestSoftPrompt(AdapterConformance):
    implementation = dataclasses.replace(RECORD, expected_failures={})
    options = {"length": LENGTH}
    expected_failures = {"begins_as_the_model": "it begins as the model behind a few random words"}

    def model(self):
        return model()


class TestSoftPromptWithLearnedPositions(TestSoftPrompt):
    def model(self):
        return model(position="learned", tie_embeddings=True)


class TestSoftPromptOfARecurrentModel(TestSoftPrompt):
    def model(self):
        return model(name="rnn")


TOKENS = torch.arange(24).view(2, 12) * 5 % 20


@pytest.mark.parametrize("options", [{}, {"position": "learned"}, {"name": "rnn"}])
def test_it_is_the_model_behind_tokens_with_the_vectors_as_embeddings(options):
    plain = model(**options)
    found = prompted(copy.deepcopy(plain))
    spare = [26, 27, 28]  # ids that the text has not: with their rows replaced, this is what peft's prompt tuning computes
    with torch.no_grad():
        plain.get_submodule("embedding").weight[spare] = found.soft_prompt.weight
        behind = torch.cat([torch.tensor([spare, spare]), TOKENS], dim=1)
        expected = plain(behind).features[:, LENGTH:]
        assert torch.allclose(found(TOKENS).features, expected, atol=1e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_documents_that_share_a_row_are_each_read_behind_the_vectors(causal):
    found = prompted()
    found.causal = causal
    segments = torch.tensor([[0] * 5 + [1] * 3 + [2] * 4, [0] * 12])
    with torch.no_grad():
        together = found(TOKENS, segments=segments).features
        for first, end in ((0, 5), (5, 8), (8, 12)):
            assert torch.allclose(together[:1, first:end], found(TOKENS[:1, first:end]).features, atol=1e-5)
        assert torch.allclose(together[1:], found(TOKENS[1:]).features, atol=1e-5)


def test_unpacked_by_hand():
    rows, apart, places = unpacked(torch.tensor([[5, 6, 7], [8, 9, 4]]), torch.tensor([[0, 0, 1], [2, 2, 2]]), causal=False)
    assert rows.tolist() == [[5, 6, 0], [7, 0, 0], [8, 9, 4]]
    assert apart.tolist() == [[0, 0, 1], [0, 1, 1], [0, 0, 0]]
    assert rows.flatten()[places].tolist() == [[5, 6, 7], [8, 9, 4]]


@pytest.mark.parametrize("name", ["gpt", "rnn"])
def test_sessions_write_behind_the_vectors(name):
    found = prompted(model(vocab_size=257, name=name))
    session = session_of(found)
    prompt = torch.tensor([[256, 65, 66], [256, 67, 68]])
    with torch.no_grad():
        session.prefill(prompt)
        session.select(torch.tensor([1, 0, 1]))
        for token in (70, 71):
            logits = session.extend(torch.tensor([token] * 3))
        session.truncate(4)
        again = session.extend(torch.tensor([71] * 3))
        rows = torch.cat([prompt[[1, 0, 1]], torch.tensor([[70, 71]] * 3)], dim=1)
        expected = found.logits(found(rows).features[:, -1])
    assert torch.allclose(logits, expected, atol=1e-4) and torch.allclose(again, expected, atol=1e-4)


def test_the_context_is_that_of_the_text():
    found = prompted()
    assert found.context_length == CONTEXT
    with raises_code("sequence-too-long"), torch.no_grad():
        found(torch.zeros(1, CONTEXT + 1, dtype=torch.int64))
    session = session_of(prompted(model(vocab_size=257)))
    events = list(session.generate(torch.tensor([256])))  # far beyond the context, which moves on
    assert len(events) > CONTEXT or events[-1].ended == "stop"


def test_special_tokens_are_learned_and_the_model_is_not():
    vocabulary = Vocabulary(tokenizer_size=27, end_of_text=0, special=(SpecialToken(name="one"), SpecialToken(name="two")))
    made = model()
    SoftPrompt(SoftPromptOptions(length=LENGTH), vocabulary=vocabulary).apply(made)
    learned = {name: tuple(parameter.shape) for name, parameter in made.named_parameters() if parameter.requires_grad}
    assert learned.pop("soft_prompt.weight") == (LENGTH, 16)
    assert set(learned.values()) == {(2, 16)} and len(learned) == 2  # embedding and head
    assert made.roles()["soft_prompt.weight"] == "embedding"
