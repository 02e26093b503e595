"""The tasks: the same for a seed, distinct, harder by level, and each with an answer that its own reward takes for right."""

from __future__ import annotations

import pytest

from pentad import Catalogue, make, make_named
from pentad.testing import CorpusConformance
from pentad_tasks import corpora
from pentad_tasks.options import LEVELS, TaskOptions

CATALOGUE = Catalogue()
NAMES = ["arithmetic", "letters", "reversal", "sorting", "formats"]


def tasks(name, **options):
    return list(getattr(corpora, name)(TaskOptions(**options)))


class TestArithmetic(CorpusConformance):
    name = "arithmetic"


class TestFormats(CorpusConformance):
    name = "formats"
    options = {"level": 3, "number": 50}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", range(1, LEVELS + 1))
def test_every_answer_is_right_by_the_reward_that_it_names(name, level):
    found = tasks(name, level=level, number=60, seed=3)
    assert len({task["prompt"] for task in found}) == len(found) > 10
    for task in found:
        reward = make_named("reward", task["reward"], catalogue=CATALOGUE)
        assert list(reward.rewards(task["prompt"], [task["completion"], "?"], task["completion"])) == [1.0, 0.0]


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_decides_and_a_level_lengthens(name):
    assert tasks(name, number=20) == tasks(name, number=20) != tasks(name, number=20, seed=1)

    def length(level):
        return sum(len(task["prompt"]) for task in tasks(name, level=level, number=40))

    assert length(1) < length(2) and length(1) < length(LEVELS)


def test_golden_answers():
    for task in tasks("arithmetic", level=4, number=100):
        one, sign, other, _ = task["prompt"].split()
        by_hand = {"+": int(one) + int(other), "-": int(one) - int(other), "*": int(one) * int(other)}
        assert task["completion"] == str(by_hand[sign])
    for task in tasks("reversal", number=30):
        assert task["prompt"].removeprefix("Reverse: ") == task["completion"][::-1]
    for task in tasks("letters", level=2, number=30):
        _, _, letter, _, word = task["prompt"].rstrip("?").split()
        assert task["completion"] == str(sum(one == letter for one in word))
    for task in tasks("sorting", level=4, number=30):
        numbers = [int(number) for number in task["completion"].split()]
        assert numbers == sorted(numbers) and sorted(task["prompt"].removeprefix("Sort: ").split()) == sorted(map(str, numbers))


def test_an_easy_level_ends_where_it_has_no_new_task():
    assert len(tasks("arithmetic", number=5000)) == 100  # sums of two digits


def test_levels_can_be_mixed():
    found = tasks("reversal", level=3, mixed=True, number=60)
    assert {len(task["completion"]) for task in found} == {3, 5, 7}


def test_tasks_teach_conversations():
    builder = make("builder", "chat", context_length=64, vocab_size=257, end_of_text=256)
    (document,) = builder.render(tasks("arithmetic")[0])
    assert [span.text for span in document.spans if span.learn and span.text] == [tasks("arithmetic")[0]["completion"]]


def test_repeated_tasks_come_as_often_as_asked():
    once = tasks("arithmetic", number=30)
    assert tasks("arithmetic", number=30, repeat=3) == once * 3
