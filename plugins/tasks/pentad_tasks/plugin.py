"""What this distribution offers; light, so that listing it imports neither numpy nor torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Corpus, Evaluator, Reward, hookimpl

_CORPORA = {
    "arithmetic": "Sums, differences and products, made from a seed; level 1 has the 100 sums of two digits.",
    "letters": "How often a letter stands in a word, made from a seed.",
    "reversal": "Words to be written backwards, made from a seed.",
    "sorting": "Letters and numbers to be put in order, made from a seed.",
    "formats": "Words to be written in a given form (in capitals, in brackets, with commas), made from a seed.",
}
_REWARDS = {
    "exact": ("1 for the expected answer, 0 for any other.", "Exact"),
    "number": ("1 where the last number of an answer is the expected one.", "Number"),
    "words": ("1 for the expected words, whatever stands between them and in whichever case.", "Words"),
    "items": ("1 for as many different words between commas as are expected.", "Items"),
    "prefix": ("The share of the expected answer that is right from its beginning on.", "Prefix"),
}


@hookimpl
def engine_corpora() -> Sequence[Corpus]:
    return [
        Corpus(name=name, summary=summary, factory=f"pentad_tasks.corpora:{name}", options="pentad_tasks.options:TaskOptions")
        for name, summary in _CORPORA.items()
    ]


@hookimpl
def engine_rewards() -> Sequence[Reward]:
    return [
        Reward(name=name, summary=summary, factory=f"pentad_tasks.rewards:{function}")
        for name, (summary, function) in _REWARDS.items()
    ]


@hookimpl
def engine_evaluators() -> Sequence[Evaluator]:
    return [
        Evaluator(
            name="task-accuracy",
            summary="How many held-out tasks are answered right, by the likeliest tokens.",
            factory="pentad_tasks.evaluator:TaskAccuracy",
            options="pentad_tasks.options:AccuracyOptions",
        )
    ]
