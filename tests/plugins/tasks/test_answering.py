"""Answers to many prompts at once are those to each alone."""

from __future__ import annotations

import numpy as np
import torch

from pentad import SpecialToken, random_words
from pentad.testing.subjects import Bytes, Table, random_table, session_of
from pentad_tasks.answering import write_answers

SPECIAL = (SpecialToken(name="user"), SpecialToken(name="end_of_turn", drawable=True, stops=True))
END = Bytes.vocab_size + 1


def session(table=None, **options):
    size = Bytes.vocab_size + len(SPECIAL)
    return session_of(Table(random_table(size) if table is None else table, **options), SPECIAL)


def keys_of(prompts, answers):
    return random_words(5, np.arange(prompts)[:, None], np.arange(answers))


def test_each_answer_is_its_own():
    prompts = [[256, 1], [256, 2, 3], [256, 9], [256, 2, 3]]
    together = write_answers(session(), prompts, answers=3, max_tokens=[6, 4, 6, 4], keys=keys_of(4, 3))
    assert len(together) == 12
    for number, prompt in enumerate(prompts):
        alone = write_answers(
            session(), [prompt], answers=3, max_tokens=[(6, 4)[number % 2]], keys=keys_of(4, 3)[number : number + 1]
        )
        assert together[3 * number : 3 * number + 3] == alone
    assert together[3:6] != together[9:]  # the same prompt, other keys
    assert all(len(answer) <= 6 for answer in together)


def test_an_answer_ends_with_the_token_that_ends_it_and_a_speaker_is_never_drawn():
    size = Bytes.vocab_size + len(SPECIAL)
    table = torch.zeros(size, size)
    table[:, Bytes.vocab_size] = 50.0  # the user's turn, which may not be drawn
    table[1, 2], table[2, END] = 40.0, 40.0
    found = write_answers(session(table), [[256, 1]], max_tokens=[9])
    assert found == [[2, END]]


def test_draws_follow_the_distribution():
    size = Bytes.vocab_size + len(SPECIAL)
    table = torch.full((size, size), -1e9)
    table[:, 7], table[:, 8] = np.log(0.25), np.log(0.75)

    def share(temperature):
        answers = write_answers(
            session(table), [[256]], answers=400, max_tokens=[1], keys=keys_of(1, 400), temperature=temperature
        )
        return sum(answer == [8] for answer in answers) / 400

    assert abs(share(1.0) - 0.75) < 0.07
    assert abs(share(0.5) - 0.9) < 0.06  # 0.75^2 : 0.25^2
