"""Tasks with one checkable answer each, made from a seed at four levels of difficulty.

A task is a record with `prompt`, `completion` and `reward`, the name of the reward that checks other answers: what the builder
chat learns from, and what grpo and task-accuracy ask. No two tasks of a corpus have the same prompt, and what is repeated falls
on the same side of the split, so none that is held out was learned.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from pentad_tasks.options import TaskOptions

Task = dict[str, str]
Make = Callable[[random.Random, int], Task]

_CONSONANTS, _VOWELS = "bdfgklmnprst", "aeiou"

_TRIES = 2000
"""Draws in a row that give no new task, after which there are taken to be no more."""


def arithmetic(options: TaskOptions) -> Iterator[Task]:
    """Yield sums of two digits (level 1), sums and differences up to 99 (2), up to 999 (3), and with products (4)."""
    return _distinct(_arithmetic, options)


def letters(options: TaskOptions) -> Iterator[Task]:
    """Yield questions for how often a letter stands in a word of 2, 4, 6 or 8 syllables' letters."""
    return _distinct(_letters, options)


def reversal(options: TaskOptions) -> Iterator[Task]:
    """Yield words of 3, 5, 7 or 9 letters to be written backwards."""
    return _distinct(_reversal, options)


def sorting(options: TaskOptions) -> Iterator[Task]:
    """Yield 3 or 5 letters (levels 1 and 2), and 3 or 5 numbers up to 99 (3 and 4), to be put in order."""
    return _distinct(_sorting, options)


def formats(options: TaskOptions) -> Iterator[Task]:
    """Yield as many words as the level says, to be written in a given form."""
    return _distinct(_formats, options)


def _distinct(make: Make, options: TaskOptions) -> Iterator[Task]:
    """Yield tasks until there are as many as asked for, or no new one comes up any more; all of them again where asked to."""
    for _ in range(options.repeat):
        yield from _once(make, options)


def _once(make: Make, options: TaskOptions) -> Iterator[Task]:
    generator = random.Random(f"{make.__name__} {options.seed}")
    seen: set[str] = set()
    missed = 0
    while len(seen) < options.number and missed < _TRIES * options.level:
        level = generator.randint(1, options.level) if options.mixed else options.level
        task = make(generator, level)
        if task["prompt"] in seen:
            missed += 1
            continue
        missed = 0
        seen.add(task["prompt"])
        yield task


def _arithmetic(generator: random.Random, level: int) -> Task:
    most = (9, 99, 999, 999)[level - 1]
    one, other = generator.randint(0, most), generator.randint(0, most)
    sign = generator.choice(("+", "+-", "+-", "+-*")[level - 1])
    if sign == "*":
        one, other = one % 100, other % 100
    if sign == "-":
        one, other = max(one, other), min(one, other)
    answer = one + other if sign == "+" else one - other if sign == "-" else one * other
    return {"prompt": f"{one} {sign} {other} =", "completion": str(answer), "reward": "number"}


def _letters(generator: random.Random, level: int) -> Task:
    word = _word(generator, 4 * level)
    letter = generator.choice([generator.choice(word), generator.choice(_VOWELS)])
    return {"prompt": f"How many {letter} in {word}?", "completion": str(word.count(letter)), "reward": "number"}


def _reversal(generator: random.Random, level: int) -> Task:
    word = _word(generator, 2 * level + 1)
    return {"prompt": f"Reverse: {word}", "completion": word[::-1], "reward": "exact"}


def _sorting(generator: random.Random, level: int) -> Task:
    many = 3 if level % 2 else 5
    if level <= 2:
        things = generator.sample(_CONSONANTS + _VOWELS, many)
        in_order = sorted(things)
    else:
        numbers = generator.sample(range(100), many)
        things, in_order = [str(number) for number in numbers], [str(number) for number in sorted(numbers)]
    return {"prompt": f"Sort: {' '.join(things)}", "completion": " ".join(in_order), "reward": "words"}


def _formats(generator: random.Random, level: int) -> Task:
    words = _words(generator, level + 1)
    *words, other = words
    joined = " ".join(words)
    form = generator.choice(("capitals", "brackets", "commas", "dashes", "items"))
    if form == "items":
        return {
            "prompt": f"Write {level + 1} words with commas. {words[0]}",
            "completion": ", ".join([*words, other]),
            "reward": "items",
        }
    answers = {
        "capitals": joined.upper(),
        "brackets": f"[{joined}]",
        "commas": ", ".join(words),
        "dashes": "-".join(words),
    }
    prompts = {"capitals": "In capitals", "brackets": "In brackets", "commas": "With commas", "dashes": "With dashes"}
    return {"prompt": f"{prompts[form]}: {joined}", "completion": answers[form], "reward": "exact"}


def _words(generator: random.Random, number: int) -> list[str]:
    """Return short words, each another one."""
    found: dict[str, None] = {}
    while len(found) < number:
        found[_word(generator, generator.choice((2, 3, 4)))] = None
    return list(found)


def _word(generator: random.Random, length: int) -> str:
    """Return letters that can be spoken: consonants and vowels by turns."""
    start = generator.randint(0, 1)
    return "".join(generator.choice(_VOWELS if (place + start) % 2 else _CONSONANTS) for place in range(length))
