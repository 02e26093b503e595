"""A model looked into: what is shown is what it computes, and a model that shows nothing says so."""

from __future__ import annotations

import dataclasses
import json
import re
from html import unescape

import pytest
import torch

from pentad import Choice, Inspection, Model, make
from pentad_studio.inside.looking import MOST_TOKENS, look_into
from pentad_studio.sources.models import open_model


@pytest.fixture(scope="module")
def run(studio):
    return open_model(studio, "tiny")


def test_the_last_layer_says_what_the_model_says(run):
    look = look_into(run, "9 bottles")
    _, guesses = look.lens[-1]
    logits = run.session.prefill(run.session.prompt("9 bottles")[None])[0]
    assert guesses[-1].id == int(logits.argmax())
    assert guesses[-1].p == pytest.approx(float(logits.softmax(-1).max()), abs=1e-5)
    assert guesses[-1].truth is None and guesses[0].truth is not None
    assert [name for name, _ in look.lens] == ["embedding", "layer 1"]


def test_attention_looks_back_and_sums_to_one(run):
    (maps,) = look_into(run, "9 bottles").maps.values()
    (head,) = maps
    assert len(head) == 1 + len("9 bottles")
    for place, row in enumerate(head):
        assert not any(row[place + 1 :]) and sum(row) == pytest.approx(1000, abs=10)


def test_neighbours_are_the_nearest_and_never_the_token_itself(run):
    look = look_into(run, "aab")
    table = torch.nn.functional.normalize(run.model.get_parameter("model.embedding.weight").detach(), dim=-1)
    cosines = table[ord("a")] @ table.T
    cosines[ord("a")] = -2
    (found,) = [one for one in look.neighbours if one.id == ord("a")]
    assert found.near[0][1] == pytest.approx(float(cosines.max()), abs=1e-5)


def test_of_a_long_text_the_beginning_is_looked_at(run):
    look = look_into(run, "a" * 500)
    assert len(look.ids) == min(MOST_TOKENS, run.model.context_length)
    assert look.more == 501 - len(look.ids)


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 6), ("gru", 4), ("rnn", 0)])
def test_a_recurrent_network_shows_its_gates(run, cell, gates):
    torch.manual_seed(0)
    model = make("model", Choice("rnn", cell=cell, n_embd=8, n_hidden=200), vocab_size=257, context_length=32)
    look = look_into(dataclasses.replace(run, model=model.eval()), "abc")
    assert len(look.gates) == gates and look.maps == {}
    assert all(len(units) <= 128 and all(len(row) == 4 for row in units) for units in look.gates.values())


def test_a_model_that_shows_nothing_is_no_error(run):
    class Closed(Model):
        context_length = None
        vocab_size = 257

        def forward(self, inputs, state=None, segments=None):
            raise NotImplementedError

        def logits(self, features):
            raise NotImplementedError

        def initial_state(self, batch_size, max_length):
            return None

    assert Closed().inspect(torch.zeros(3, dtype=torch.int64)).attention == Inspection().attention == {}
    look = look_into(dataclasses.replace(run, model=Closed()), "abc")
    assert (look.maps, look.gates, look.lens, look.neighbours) == ({}, {}, [], [])


def test_the_page_holds_the_maps_as_data(page):
    html = page.ask("inside-part", run="tiny", text="<b>9")
    data = json.loads(unescape(re.search(r'data-maps="([^"]*)"', html).group(1)))
    assert data["tokens"] == ["<|endoftext|>", "<", "b", ">", "9"]
    assert "<b>" not in html
    assert page.refusal("inside-part", run="nothing", text="a") == "unknown-run"
    assert '<option value="tiny" selected>' in page.get("inside?run=tiny").text
