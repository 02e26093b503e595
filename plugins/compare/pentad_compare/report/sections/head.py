"""The head of the page: what was compared, what was found in a sentence, and under what conditions."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from pentad_cli.tools import plural, size
from pentad_compare.records import ArmResult, Comparison, Difference, Group
from pentad_compare.report.charts.ranking import UNKNOWN, VERDICTS
from pentad_compare.report.numbers import bits, digits, listing

_BUDGETS = {
    "seconds": "training time of every run",
    "bytes": "training text for every run",
    "flops": "computed by every run, counted as products of matrices",
    "steps": "of every run",
}

_RULES = {
    "documents": "whole documents, chosen by their content",
    "tails": "the ends of the documents",
    "corpus": "a corpus of its own",
}


@dataclass(frozen=True)
class Verdict:
    """A difference in words: the verdict's word and class, and the sentence."""

    word: str
    css: str
    sentence: str


@dataclass(frozen=True)
class Head:
    """The part of the page above the sections.

    Args:
        name: of the comparison.
        title: what was compared.
        headline: what was found, in a sentence or two.
        verdicts: every difference in words.
        conditions: name, value, and a smaller line.
        notes: what a reader must know.
    """

    name: str
    title: str
    headline: str
    verdicts: Sequence[Verdict]
    conditions: Sequence[tuple[str, str, str]]
    notes: Sequence[str]


def head(comparison: Comparison) -> Head:
    """Return the head of the page."""
    scored = [group for group in comparison.groups if group.metric]
    differences = [difference for group in scored for difference in group.differences]
    return Head(
        comparison.name,
        "Compared: " + _varied(comparison),
        " ".join(_headline(comparison, group) for group in scored) or _without_ranking(comparison),
        [_verdict(difference) for difference in differences],
        _conditions(comparison),
        comparison.notes,
    )


def _verdict(difference: Difference) -> Verdict:
    word, css = VERDICTS.get(difference.verdict, UNKNOWN)
    return Verdict(word, css, difference.words)


def _varied(comparison: Comparison) -> str:
    """Say what differs between the arms: `tokenizer (bpe, byte) and model (gpt, rnn)`."""
    values: dict[str, list[str]] = {}
    for arm in comparison.arms:
        for key, value in arm.settings.items():
            values.setdefault(key, []).append(value)
    if len(samplers := list(dict.fromkeys(sampler.sampler for arm in comparison.arms for sampler in arm.samplers))) > 1:
        values["sampler"] = samplers
    if comparison.tokenizers:
        values = {"tokenizers": [tokenizer.label for tokenizer in comparison.tokenizers]}
    distinct = {key: list(dict.fromkeys(words)) for key, words in values.items()}
    varied = {key: words for key, words in distinct.items() if len(words) > 1}
    if not varied:
        return listing([arm.label for arm in comparison.arms])
    if len({frozenset(arm.settings) for arm in comparison.arms}) > 1 and len(comparison.arms) < 9:
        return "; ".join(arm.label for arm in comparison.arms)  # some have options of their own
    return " and ".join(
        f"{key} ({', '.join(words)})" if len(words) < 9 else f"{len(words)} of {key}" for key, words in varied.items()
    )


def _headline(comparison: Comparison, group: Group) -> str:
    """Say which arm of a group scores best, and which others are measurably different from the baseline."""
    best = comparison.arm(group.arms[0])
    title = group.metric.title if group.metric else "score"
    score = f"{bits(best.mean, digits(comparison))} {title}{_of_seeds(best)}"
    if len(group.arms) == 1:
        return f"{best.label} has {score}."
    return f"{best.label} scores best: {score}. {_tally(group)}".strip()


def _of_seeds(arm: ArmResult) -> str:
    done = [seed for seed in arm.seeds if seed.score is not None]
    return f" over {plural(len(done), 'seed')}" if done else ""


def _tally(group: Group) -> str:
    """Say how the others stand to the baseline."""
    by_verdict: dict[str, list[str]] = {}
    for difference in group.differences:
        by_verdict.setdefault(difference.verdict, []).append(difference.arm)
    sentences = [
        f"{listing(arms)} {'is' if len(arms) == 1 else 'are'} measurably {verdict} than {group.baseline}."
        for verdict in ("better", "worse")
        if (arms := by_verdict.get(verdict))
    ]
    if arms := by_verdict.get("none"):
        sentences.append(f"No difference shown between {group.baseline} and {listing(arms)}.")
    if arms := by_verdict.get("unknown"):
        sentences.append(f"No interval for {listing(arms)}.")
    return " ".join(sentences)


def _without_ranking(comparison: Comparison) -> str:
    done = [tokenizer for tokenizer in comparison.tokenizers if not tokenizer.failure]
    if not done:
        return "No arm has a score."
    most = max(done, key=lambda tokenizer: tokenizer.bytes_per_token)
    return f"{most.label} packs the most text into a token: {most.bytes_per_token:.2f} bytes."


def _conditions(comparison: Comparison) -> list[tuple[str, str, str]]:
    """List the conditions; what does not apply is left out."""
    data = comparison.data
    conditions = [
        ("Budget", comparison.budget, _BUDGETS.get(comparison.budget_unit, "")) if comparison.arms else ("", "", ""),
        ("Seeds", ", ".join(map(str, comparison.seeds)) if comparison.arms else "", "the same for every arm"),
        ("Text", listing(data.sources), f"fingerprint {data.fingerprint[:12]}" if data.fingerprint else ""),
        ("Trained on", size(data.train_bytes), ""),
        ("Held out", size(data.held_out_bytes), _RULES.get(data.rule, data.rule)),
        ("Intervals", f"{comparison.confidence:.0%}", "for all of a group's intervals together")
        if _intervals(comparison)
        else ("", "", ""),
        ("Machine", comparison.machine, _computed(comparison)),
        ("Versions", f"pentad {comparison.engine}", f"Python {comparison.python}, torch {comparison.torch}"),
        ("Date", _date(comparison.created), ""),
    ]
    return [fact for fact in conditions if fact[1]]


def _intervals(comparison: Comparison) -> bool:
    return any(difference.low is not None for group in comparison.groups for difference in group.differences)


def _computed(comparison: Comparison) -> str:
    """Say how it was computed, unless the machine's words say so already."""
    runs = [seed for arm in comparison.arms for seed in arm.seeds if seed.device]
    ways = [
        ", ".join(filter(None, (run.device, run.precision, plural(run.threads, "thread") if run.threads else "")))
        for run in runs
    ]
    return "; ".join(way for way in dict.fromkeys(ways) if way not in comparison.machine)


def _date(text: str) -> str:
    """Say a date in words, or as it was given."""
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{time.day} {time:%B %Y, %H:%M}" + (f" {time.tzname()}" if time.tzinfo else "")
