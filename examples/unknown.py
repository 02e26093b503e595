"""Ask a model about animals that it knows and animals that it cannot know, and look at what its probabilities say.

python examples/unknown.py RUN

RUN learned the conversations of examples/talks.py, for example runs/chat of docs/post-training.md. Each animal is asked for
its colour, food and place; answers are the likeliest tokens. Of each answer two figures are taken: the mean probability of its
tokens (geometric, so that it does not depend on the length), and the probability of its least likely token. The separation is
the share of pairs of a known and an unknown animal's answer in which the known one has the higher figure (the area under the
ROC curve): 0.5 is chance, 1 means that a threshold tells them apart.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from talks import ANIMALS, STRANGERS, facts_of, questions

from pentad import Limits, SavedRun, open_run
from pentad.tools import Conversation

DOUBT = 0.5
"""A token below this probability: the model holds it for more likely that something else comes."""


@dataclass(frozen=True)
class Answer:
    """An answer with the probabilities of its tokens, the one that ends it included; `right` where that can be said."""

    question: str
    text: str
    probabilities: Sequence[float]
    right: bool | None

    @property
    def mean(self) -> float:
        """The geometric mean of the probabilities."""
        return math.exp(statistics.fmean(math.log(one) for one in self.probabilities))

    @property
    def least(self) -> float:
        """The probability of the least likely token."""
        return min(self.probabilities)


def ask(run: SavedRun, question: str, expected: Sequence[str] = ()) -> Answer:
    """Return the likeliest answer to a question; right where it is one of those expected."""
    prompt, _ = Conversation(run, max_tokens=40).prompt(question)
    events = list(run.stream(torch.tensor(prompt), sampler="greedy", limits=Limits(max_tokens=40, logprobs=True)))
    text = "".join(event.text for event in events)
    return Answer(question, text, [math.exp(event.logprob) for event in events], text in expected if expected else None)


def separation(known: Sequence[float], unknown: Sequence[float]) -> float:
    """Return the share of pairs in which the known one is higher; equal ones count half."""
    pairs = list(itertools.product(known, unknown))
    return sum((one > other) + 0.5 * (one == other) for one, other in pairs) / len(pairs)


def table(known: Sequence[Answer], unknown: Sequence[Answer]) -> list[str]:
    """Return the figures of both kinds, a line each, and how far they tell one from the other."""
    lines = [f"{'':16}  answers  mean probability  least probability  with a token below {DOUBT:.0%}  right"]
    for name, answers in (("known animals", known), ("unknown animals", unknown)):
        mean, least = (statistics.fmean(getattr(one, what) for one in answers) for what in ("mean", "least"))
        doubted = sum(one.least < DOUBT for one in answers) / len(answers)
        judged = [one.right for one in answers if one.right is not None]
        right = f"{statistics.fmean(judged):.0%}" if judged else ""
        lines.append(f"{name:16}  {len(answers):7}  {mean:16.3f}  {least:17.3f}  {doubted:22.0%}  {right:>5}")
    means, leasts = ([[getattr(one, what) for one in answers] for answers in (known, unknown)] for what in ("mean", "least"))
    lines.append(f"{'separation':16}  {'':7}  {separation(*means):16.3f}  {separation(*leasts):17.3f}")
    return lines


def main(folder: Path) -> tuple[list[Answer], list[Answer]]:
    """Ask, print the figures and a few answers, and return all answers to known and to unknown animals."""
    run, facts = open_run(folder), facts_of(random.Random(0))
    known = [ask(run, asked, (full, word)) for animal in ANIMALS for asked, full, word in questions(animal, facts[animal])]
    nothing = {"colour": "", "food": "", "place": ""}
    unknown = [ask(run, asked) for animal in STRANGERS for asked, _, _ in questions(animal, nothing)]
    print("\n".join(table(known, unknown)))
    print("\nanswers to unknown animals, the least likely token's probability first:")
    for one in random.Random(0).sample(unknown, 6):
        print(f"{one.least:8.1%}  {one.question}  {one.text!r}")
    return known, unknown


if __name__ == "__main__":
    main(Path(sys.argv[1]))
