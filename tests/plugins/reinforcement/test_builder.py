"""Groups of answers: which tokens are learned, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pentad import IGNORED, Catalogue
from pentad.data.pieces import Piece
from pentad.data.rendering import Rendering, encode_all
from pentad.testing import raises_code
from pentad.testing.subjects import Bytes, Table, random_table, session_of
from pentad_reinforcement.builder import GRPO
from pentad_reinforcement.options import GRPOOptions

CATALOGUE = Catalogue()
END_OF_TURN = 257 + 3


def builder(context_length=24, **options):
    return GRPO(
        GRPOOptions(**{"answers": 4, "max_tokens": 6, **options}),
        context_length=context_length,
        vocab_size=257,
        end_of_text=256,
        tokenizer=Bytes(),
        catalogue=CATALOGUE,
    )


def tokens_of(made, records):
    return encode_all([Piece("x", True, record) for record in records], Bytes(), Rendering.of(made))


def rolled(made, records, table=None, seed=3):
    size = 257 + len(made.special_tokens)
    session = session_of(Table(random_table(size) if table is None else table), made.special_tokens)
    with torch.no_grad():
        return made.roll_out(tokens_of(made, records), np.arange(len(records)), seed, session)


TASKS = [{"prompt": prompt, "completion": answer, "reward": "prefix"} for prompt, answer in (("2?", "two"), ("10?", "ten"))]


def test_a_task_in_turns_with_the_name_of_its_reward_behind_it():
    (document,) = builder().render(TASKS[0])
    assert [(span.text or span.special, span.learn) for span in document.spans] == [
        ("user", False),
        ("2?", False),
        ("end_of_turn", False),
        ("assistant", False),
        ("two", True),
        ("end_of_turn", True),
        ("prefix", False),
    ]


def test_the_token_that_ends_an_answer_is_learned_and_the_prompt_is_not():
    size = 257 + 4
    table = torch.full((size, size), -50.0)
    table[:, ord("t")], table[ord("t"), END_OF_TURN] = 0.0, 50.0
    batch = rolled(builder(), TASKS[:1], table)
    assert batch.inputs[0].tolist() == [256, 258, ord("2"), ord("?"), 260, 259, ord("t")]
    assert batch.targets[0].tolist() == [IGNORED] * 5 + [ord("t"), END_OF_TURN]
    assert batch.extra["reward"].tolist() == pytest.approx([1 / 3] * 4)  # of "two", the end not counted
    assert batch.extra["advantage"].tolist() == [0.0] * 4


def test_answers_do_not_depend_on_the_micro_batches():
    made = builder(updates=2)
    whole = rolled(made, TASKS)
    tokens, session = tokens_of(made, TASKS), session_of(Table(random_table(261)), made.special_tokens)
    for index in range(2):
        part = made.roll_out(tokens, np.array([index]), 3, session)
        width = part.inputs.shape[1]
        rows = slice(4 * index, 4 * index + 4)
        for name in ("inputs", "targets"):
            assert np.array_equal(getattr(whole, name)[rows, :width], getattr(part, name))
        assert np.allclose(whole.extra["logprobs"][rows, :width], part.extra["logprobs"], atol=1e-6)


def test_log_probabilities_are_those_with_which_the_answers_were_drawn():
    made, size = builder(updates=2, temperature=2.0), 261
    table = random_table(size)
    batch = rolled(made, TASKS, table)
    rows, places = np.nonzero(batch.targets != IGNORED)
    expected = (table / 2).log_softmax(-1)[batch.inputs[rows, places], batch.targets[rows, places]]
    assert np.allclose(batch.extra["logprobs"][rows, places], expected, atol=1e-5)
    assert not batch.extra["logprobs"][batch.targets == IGNORED].any()


def test_rewards_are_added_up_and_chosen_ones_stand_for_those_of_the_tasks():
    table = torch.full((261, 261), -50.0)
    table[:, ord("t")], table[:, ord("x")], table[:, END_OF_TURN] = 1.0, 0.0, 0.0
    one, other = rolled(builder(), TASKS, table), rolled(builder(reward=("prefix", "exact", "prefix")), TASKS, table)
    assert np.allclose(other.extra["reward"], 2 * one.extra["reward"])
    assert one.extra["reward"].std() > 0
    assert builder(reward=("number",)).evaluators == ("mean-reward",)


def test_a_long_prompt_keeps_its_end_and_leaves_room():
    batch = rolled(builder(context_length=12, max_tokens=6), [{"prompt": "a" * 50 + "b", "completion": "c"}])
    assert batch.inputs.shape[1] <= 12
    assert batch.inputs[0, 4:7].tolist() == [ord("b"), END_OF_TURN, 259]
    short = rolled(builder(context_length=6, max_tokens=50), [{"prompt": "ab", "completion": "c"}])
    assert short.inputs.shape[1] <= 6 and (short.targets != IGNORED).any()


def test_plain_text_ends_where_the_answer_begins():
    made = builder(template="plain")
    tokens = tokens_of(made, [{"prompt": "2 + 2 = ", "completion": "4", "reward": "number"}])
    batch = made.build(tokens, np.array([0]), None)
    assert Bytes().decode(batch.inputs[0, 1:]) == "2 + 2 = "
    assert not made.special_tokens


def test_what_is_no_task_is_refused():
    for record, code in (
        ("words", "record-keys"),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "record-keys"),
        ({"messages": [{"role": "user", "content": "a"}]}, "record-keys"),
    ):
        with raises_code(code):
            list(builder().render(record))
    with raises_code("empty-answer"):
        list(builder(template="plain").render({"prompt": "a", "completion": ""}))
    with raises_code("unknown-name"):
        rolled(builder(reward=("nothing",)), TASKS)
