"""A bad training is called bad, with what to change; a good one is left alone."""

from __future__ import annotations

import dataclasses
import math

import pytest

from pentad import Recipe
from pentad.contracts.observer import RunResult, Sample
from pentad_cli.arguments.layers import default_tables
from pentad_cli.terminal.verdict import History, overfitting, scripts, verdict

from .test_display import RESULT, SCORE, plan, step

TEXT = "The quick brown fox jumps over the lazy dog. " * 10


def score(at, bits, loss=2.9, final=False):
    return dataclasses.replace(SCORE, step=at, scores={"bits_per_byte": bits, "loss": loss}, final=final)


def told(losses, evaluations=(SCORE,), text=TEXT, written="", **recipe):
    history = History()
    for number, loss in enumerate(losses, 1):
        history.add_step(step(number, len(losses), loss))
    for event in evaluations:
        history.add_evaluation(event)
    samples = [Sample(step=1, index=0, prompt="", text=written, tokens=(), tokens_per_second=1.0)]
    result: RunResult = dataclasses.replace(RESULT, evaluation=evaluations[-1] if evaluations else None, samples=samples)
    tables = default_tables()
    tables["optimizer"]["lr"] = 0.5
    tables["model"]["dropout"] = 0.1
    return verdict(history, result, plan(recipe=Recipe.from_dict(tables)), text)


def falling(steps=100, start=8.0, end=2.0):
    return [end + (start - end) * math.exp(-6 * number / steps) for number in range(steps)]


def test_a_good_training_is_left_alone():
    assert told(falling(), [score(50, 2.4), score(75, 2.3), score(100, 2.2)], written=TEXT) == ""
    assert told([5.0], [score(1, 7.0, 5.0)]) == ""
    assert told(falling(), ()) == ""


def test_worse_than_equally_likely_bytes():
    assert "8.300 bits per byte" in told(falling(), [score(100, 8.3)])
    assert "too briefly" in told(falling(), [score(100, 8.3)])
    assert "--optimizer.lr 0.05" in told([5.0] * 50 + [6.0] * 50, [score(100, 8.3)])


def test_a_loss_above_chance():
    assert "ln 4,096 = 8.318" in told(falling(), [score(100, 7.0, 8.5)])


@pytest.mark.parametrize(
    "losses", [falling(80) + [4.0] * 20, [5.0] * 10 + [9.0] * 20 + falling(70)], ids=["at-the-end", "on-the-way"]
)
def test_a_curve_that_rises(losses):
    words = told(losses)
    assert "The training loss rose from" in words and "--optimizer.lr 0.05" in words


def test_noise_is_no_rise():
    assert told([3.0 + (number % 5) / 4 for number in range(200)]) == ""


def test_overfitting_is_named():
    evaluations = [score(20, 2.4), score(40, 2.2), score(70, 2.3), score(100, 2.5)]
    words = told(falling(), evaluations)
    assert "Overfitting" in words and "step 40 (2.200)" in words and "--steps 40" in words and "--model.dropout 0.2" in words
    history = History()
    assert overfitting(history) is None
    history.add_evaluation(score(20, 2.4))
    assert overfitting(history) is None


def test_overfitting_is_seen_where_the_end_scores_more_text():
    on_the_way = [score(20, 2.4), score(40, 2.2), score(70, 2.3), score(90, 2.5)]
    end = dataclasses.replace(score(100, 2.1, final=True), n_tokens=10 * on_the_way[0].n_tokens)
    words = told(falling(), [*on_the_way, end])
    assert "step 40 (2.200) and is 2.500 now" in words
    assert told(falling(), [*on_the_way[:2], dataclasses.replace(end, scores={"bits_per_byte": 2.6, "loss": 2.9})]) == ""


def test_letters_that_the_text_does_not_have():
    russian = "Быстрая коричневая лиса прыгает через ленивую собаку. " * 5
    assert "writes Latin letters, and the text has Cyrillic ones" in told(falling(), text=russian, written=TEXT)
    assert told(falling(), text=russian, written=russian) == ""
    assert told(falling(), text=russian + TEXT, written=TEXT) == ""


def test_scripts():
    assert scripts("aé1 ж 日本のカ") == {"Latin": 2, "Cyrillic": 1, "Chinese or Japanese": 4}


def rewarded(rewards):
    history = History()
    for number, reward in enumerate(rewards, 1):
        event = step(number, len(rewards), 0.0)
        history.add_step(dataclasses.replace(event, metrics={"reward": reward, "kl": 9.0}, watched="reward"))
    return verdict(history, RESULT, plan(), TEXT)


def test_a_reward_is_judged_in_place_of_the_loss():
    assert rewarded([n / 100 for n in range(100)]) == ""
    assert "all the time" in rewarded([0.0] * 100)
    assert "fell from" in rewarded([1 - n / 100 for n in range(100)])
    assert rewarded([0.0] * 5) == ""
