"""Held-out tasks, answered right or not, by the text that builders make of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pentad import Catalogue, Evaluated, HeldOut, Tokens, make
from pentad.data.pieces import Piece
from pentad.data.rendering import Rendering, encode_all
from pentad.testing import EvaluatorConformance, raises_code
from pentad.testing.subjects import Bytes, Table, session_of, table_of
from pentad_tasks.evaluator import TaskAccuracy
from pentad_tasks.options import AccuracyOptions
from pentad_tasks.questions import question_at

SIZES = {"context_length": 24, "vocab_size": 257, "end_of_text": 256, "tokenizer": Bytes(), "catalogue": Catalogue()}


def builder(name="chat", **options):
    return make("builder", name, **SIZES) if not options else make("builder", _choice(name, options), **SIZES)


def _choice(name, options):
    from pentad import Choice

    return Choice(name, **options)


def tokens(records, name="chat"):
    pieces = [Piece("x", True, record) for record in records]
    return encode_all(pieces, Bytes(), Rendering.of(builder(name)))


class TestTaskAccuracy(EvaluatorConformance):
    name = "task-accuracy"
    expected_failures = {"a_better_model_scores_better": "the kit's text has no prompts, and no table writes it whole"}

    def runs(self):
        model = Table(torch.zeros(257 + 4, 257 + 4)).eval()
        return [Evaluated(tokenizer=Bytes(), builder=builder(), model=model), *super().runs()]


TASKS = [
    {"prompt": f"{letter}?", "completion": answer, "reward": "words"} for letter, answer in zip("abcd", "wxyz", strict=True)
]


def score(records, name="chat", right=4, **options):
    """Judge a table that knows the answers of the first `right` tasks; it goes by the last letter, so prompts end with one."""
    text = tokens(records, name)
    size = 257 + 4
    table = table_of(np.asarray(text.ids), size)
    session = session_of(Table(table), builder(name).special_tokens)
    held_out = HeldOut(tokens=text, n_bytes=len(records), context_length=24)
    with torch.no_grad():
        return TaskAccuracy(AccuracyOptions(**options), catalogue=Catalogue()).evaluate(session, held_out)


def test_one_task_of_one_letter_is_answered_and_the_others_are_not():
    found = score(TASKS[:1])
    assert (found["task_accuracy"], found["n_tasks"]) == (1.0, 1)
    found = score(TASKS)  # all prompts end alike, so that the table answers one letter to all of them
    assert found["task_accuracy"] == 0.25
    assert found["standard_error"] == pytest.approx((0.25 * 0.75 / 4) ** 0.5)


def test_the_reward_that_a_task_names_judges_where_the_builder_keeps_it():
    task = [{"prompt": "a", "completion": "b ", "reward": "words"}]
    assert score(task, "grpo")["task_accuracy"] == 1.0
    with raises_code("unknown-name"):
        score([{**task[0], "reward": "nothing"}], "grpo")
    with raises_code("reward-options"):
        score([{**task[0], "reward": "words,run=x"}], "grpo")
    assert score([{**task[0], "reward": "nothing"}], "grpo", reward="exact")["task_accuracy"] == 1.0


def test_a_task_without_an_answer_is_refused_by_what_compares():
    with raises_code("answer-missing"):
        score([{"prompt": "a", "completion": "", "reward": "exact"}], "grpo")


def test_the_last_answer_of_a_conversation_is_asked_for():
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d"},
        {"role": "user", "content": "thanks"},
    ]
    found = question_at(tokens([{"messages": messages}]), 0, Bytes(), 256)
    assert Bytes().decode(token for token in found.prompt if token < 256) == "abc"
    assert (found.expected, found.reward) == ("d", "")


def test_a_text_that_is_learned_whole_has_an_empty_prompt():
    text = Tokens.of(np.array([256, 65, 66, 256]), 256)
    found = question_at(text, 0, Bytes(), 256)
    assert (found.prompt, found.expected, found.reward) == ((256,), "AB", "")
