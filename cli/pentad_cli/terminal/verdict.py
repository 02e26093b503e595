"""What went wrong with a training, where something did: in one line, with the likely cause and the flag to change.

Figures alone say nothing to who sees them for the first time: a loss above chance, a curve that rises, a held-out score that
gets worse while the training loss falls, text in letters that the training text does not have.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter

from pentad.contracts.observer import Evaluation, Plan, RunResult, Step
from pentad_cli.terminal.curve import Curve
from pentad_cli.terminal.text import count

UNIFORM = 8.0
"""Bits per byte of a model that holds all 256 bytes for equally likely."""

PARTS = 20
"""The run is looked at in so many parts, which smooths the noise of single steps."""

LEAST_STEPS = 2 * PARTS
"""A shorter run says nothing about the shape of its curve."""


class History:
    """What a run reported, as much of it as a verdict needs."""

    def __init__(self) -> None:
        self.curve = Curve()
        self.watched = ""  # the metric that is drawn in place of the loss
        self.evaluations: list[Evaluation] = []
        self.steps = 0

    def add_step(self, event: Step) -> None:
        """Note a step."""
        self.steps = event.step
        self.watched = event.watched
        self.curve.add(event.progress, event.metrics.get(event.watched, 0.0) if event.watched else event.loss)

    def add_evaluation(self, event: Evaluation) -> None:
        """Note a score."""
        self.evaluations.append(event)

    def losses(self) -> list[float]:
        """Return the mean training loss, or what is watched in its place, of each part of the run so far."""
        return [loss for _, loss in self.curve.points(PARTS)]


def overfitting(history: History) -> tuple[Evaluation, Evaluation] | None:
    """Return the best evaluation and the newest, where the score has become worse since and the training loss has not."""
    if not history.evaluations:
        return None
    # The last one scores all of the text, those on the way perhaps a part of it: only scores of one text compare.
    on_the_way = [event for event in history.evaluations if not event.final]
    n_tokens = (on_the_way or history.evaluations)[-1].n_tokens
    found = [event for event in history.evaluations if event.n_tokens == n_tokens]
    losses = history.losses()
    if len(found) < 3 or len(losses) < 3:
        return None
    sign = 1 if found[0].lower_is_better else -1
    best = min(found, key=lambda event: sign * event.score)
    worse = sign * (found[-1].score - best.score) > 0.02 * abs(best.score)
    at_best = losses[min(len(losses) - 1, len(losses) * best.step // max(history.steps, 1))]
    return (best, found[-1]) if worse and losses[-1] < at_best else None


def verdict(history: History, result: RunResult, plan: Plan | None, text: str) -> str:
    """Return what is wrong with a training and what to change; empty where nothing is.

    Args:
        history: what it reported.
        result: how it ended.
        plan: what it was to do, or None where that is not known.
        text: the beginning of the training text.
    """
    if plan is None:
        return ""
    if history.watched:
        return _unrewarded(history)
    return (
        _bad_loss(history, result, plan)
        or _rising(history, plan)
        or overfitted(history, plan)
        or _other_letters(result, plan, text)
    )


def _unrewarded(history: History) -> str:
    values = history.losses()
    if history.steps < LEAST_STEPS or not values:
        return ""
    if max(values) - min(values) < 1e-6:
        return (
            f"The {history.watched} was {values[0]:.3f} all the time, so nothing was learned: where all answers to a prompt "
            "are equally good, none is preferred. Start from a run that finds some of them (--builder chat), or use easier "
            "prompts."
        )
    if sum(values[-3:]) < sum(values[:3]):
        return (
            f"The {history.watched} fell from {values[0]:.3f} to {values[-1]:.3f}. Likely cause: the learning rate is too high "
            "(--optimizer.lr), or the groups are too small (--builder.answers)."
        )
    return ""


def _bad_loss(history: History, result: RunResult, plan: Plan) -> str:
    judged, losses = result.evaluation, history.losses()
    if judged is None or judged.primary != "bits_per_byte" or not losses:
        return ""
    chance = math.log(plan.vocab_size)
    rose = len(losses) > 1 and losses[-1] >= losses[0]
    cause = _lower_rate(plan) if rose else "it was trained too briefly; raise --steps or --budget."
    if judged.bits_per_byte > UNIFORM:
        return (
            f"{judged.bits_per_byte:.3f} bits per byte are worse than guessing: equally likely bytes score 8. "
            f"Likely cause: {cause}"
        )
    if judged.loss > chance:
        return f"A loss of {judged.loss:.3f} is above chance, ln {count(plan.vocab_size)} = {chance:.3f}. Likely cause: {cause}"
    return ""


def _rising(history: History, plan: Plan) -> str:
    losses = history.losses()
    if history.steps < LEAST_STEPS or len(losses) < PARTS // 2:
        return ""
    highest, lowest = max(losses), min(losses)
    last = sum(losses[-2:]) / 2
    if highest > 1.1 * losses[0] + 0.05:
        return f"The training loss rose from {losses[0]:.3f} to {highest:.3f} on the way. Likely cause: {_lower_rate(plan)}"
    if last > 1.1 * lowest + 0.05 and losses.index(lowest) < len(losses) - 3:
        return f"The training loss rose from {lowest:.3f} to {last:.3f}. Likely cause: {_lower_rate(plan)}"
    return ""


def _lower_rate(plan: Plan) -> str:
    rate = plan.recipe.choice("optimizer").options.get("lr")
    lower = f"--optimizer.lr {rate / 10:g}" if isinstance(rate, float) else "a lower rate (the options of --optimizer)"
    return f"the learning rate is too high; try {lower}."


def overfitted(history: History, plan: Plan, *, on_the_way: bool = False) -> str:
    """Say that the held-out score got worse while the training loss fell, and what to do; empty where it did not.

    Args:
        history, plan: as for `verdict`.
        on_the_way: whether the training still goes on.
    """
    found = overfitting(history) if not history.watched else None
    if found is None:
        return ""
    best, newest = found
    dropout = plan.recipe.choice("model").options.get("dropout")
    or_dropout = f", or --model.dropout {min(0.5, dropout + 0.1):g}" if isinstance(dropout, float) else ""
    return (
        f"Overfitting: the held-out score was best at step {count(best.step)} ({best.score:.3f}) and is "
        f"{newest.score:.3f} now, while the training loss fell. "
        + ("Going on will hardly help: Ctrl-C ends it and keeps what it has. Next time use" if on_the_way else "Use")
        + f" more text, --steps {best.step}{or_dropout}."
    )


def _other_letters(result: RunResult, plan: Plan, text: str) -> str:
    written = "".join(sample.text for sample in result.samples if not sample.masked)  # else most of it is the text's own
    expected, found = scripts(text), scripts(written)
    letters = sum(found.values())
    if sum(expected.values()) < 50 or letters < 20:
        return ""
    script, number = expected.most_common(1)[0]
    if number < 0.8 * sum(expected.values()) or found[script] >= 0.5 * letters:
        return ""
    other = found.most_common(1)[0][0]
    name = plan.recipe.choice("tokenizer").name
    return (
        f"It writes {other} letters, and the text has {script} ones. Likely cause: it was trained too briefly to unlearn "
        f"what else the vocabulary of {name} holds; raise --steps or --budget, or use a --tokenizer that is trained on the "
        "text (bpe)."
    )


def scripts(text: str) -> Counter[str]:
    """Count a text's letters by script: `Latin`, `Cyrillic`."""
    names = (unicodedata.name(letter, "").partition(" ")[0].capitalize() for letter in text if letter.isalpha())
    return Counter("Chinese or Japanese" if name in ("Cjk", "Hiragana", "Katakana") else name for name in names if name)
