"""What a person sees of a run: the plan, then progress, then the result and what to try next.

A terminal gets one live region; anything else plain lines at sensible intervals. Both are observers of the run.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self, TextIO

from pentad.contracts.observer import Evaluation, Plan, Preparation, RateScaled, RunObserver, RunResult, Sample, Step
from pentad.registry.catalogue import Catalogue
from pentad_cli.terminal.next_steps import next_commands, opening
from pentad_cli.terminal.output import fold, paint, terminal_width, wrap
from pentad_cli.terminal.plan import plan_lines
from pentad_cli.terminal.text import count, duration, plural, short, visible, visible_line
from pentad_cli.terminal.verdict import History, overfitted, verdict


class Display(RunObserver):
    """What both displays share: the plan, sampled texts and the end.

    Args:
        stream: where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.plan: Plan | None = None
        self.history = History()
        self._unread = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the terminal as it was."""

    def write(self, line: str = "") -> None:
        """Write a line at once. A run goes on, and says nothing more, when nobody reads it any more (`engine run | head`)."""
        if not self._unread:
            try:
                print(line, file=self.stream, flush=True)
            except BrokenPipeError:
                self._unread = True

    def show_plan(self, plan: Plan) -> None:
        """Write the plan."""
        self.plan = plan
        for line in ("", *plan_lines(plan, self.stream), ""):
            self.write(line)

    def on_start(self, event: Plan) -> None:
        """Write the plan."""
        self.show_plan(event)

    def on_sample(self, event: Sample) -> None:
        """Write a text that was sampled on the way."""
        for line in sample_lines(event, self.stream):
            self.write(line)

    def on_step(self, event: Step) -> None:
        """Note it for the verdict."""
        self.history.add_step(event)

    def on_evaluation(self, event: Evaluation) -> None:
        """Note it for the verdict."""
        self.history.add_evaluation(event)

    def on_rate_scaled(self, event: RateScaled) -> None:
        """Write what became of the rates, and why."""
        words = f"step {count(event.step)}  learning rate x{event.after / event.before:.3g}: {visible_line(event.reason)}"
        for line in verdict_lines(words, self.stream):
            self.write(line)

    def show_result(
        self,
        result: RunResult,
        catalogue: Catalogue,
        *,
        typed: Sequence[str] | None = None,
        plugins: Sequence[Path] = (),
    ) -> None:
        """Write how the run ended, what is wrong with it where something is, and what can be done with it."""
        text = opening(self.plan, catalogue)
        for line in result_lines(result, self.stream):
            self.write(line)
        if words := verdict(self.history, result, self.plan, text):
            for line in verdict_lines(words, self.stream):
                self.write(line)
        commands = next_commands(result, self.plan, catalogue, text=text, typed=typed, plugins=plugins)
        for line in ("", "  Try next:", *(f"    {paint(command, 'cyan', self.stream)}" for command in commands), ""):
            self.write(line)


class PlainDisplay(Display):
    """Lines: the first step, then one for each twentieth of the run, and at least one in half a minute."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._share, self._time = -1.0, 0.0
        self._told: set[str] = set()
        self._warned = False

    def on_preparation(self, event: Preparation) -> None:
        """Write what is being done, once: what is measured again for another size is no news."""
        if event.what not in self._told:
            self._told.add(event.what)
            self.write(f"{visible_line(event.what)} …")

    def on_step(self, event: Step) -> None:
        """Write a line now and then."""
        super().on_step(event)
        now = time.monotonic()
        due = event.progress - self._share >= 0.05 and now - self._time >= 1
        if not due and now - self._time < 30 and event.progress < 1:
            return
        self._share, self._time = event.progress, now
        self.write("  ".join([step_words(event, self.plan), *facts(event)]))

    def on_evaluation(self, event: Evaluation) -> None:
        """Write the score."""
        super().on_evaluation(event)
        loss = "" if math.isnan(event.loss) else f"  loss {event.loss:.3f}"
        self.write(f"      step {count(event.step)}  held-out {score_words(event)}{loss}")
        if self.plan is None or self._warned or event.final:  # the end has a verdict of its own
            return
        if words := overfitted(self.history, self.plan, on_the_way=True):
            self._warned = True
            for line in verdict_lines(words, self.stream):
                self.write(line)


def score_words(event: Evaluation, unit: str = "bits per byte") -> str:
    """Say the primary score: `2.345 bits per byte`, or for another evaluator `masked-accuracy 0.412`."""
    if event.primary == "bits_per_byte":
        return f"{event.score:.3f} {unit}{'' if event.lossless else ' (lossy)'}"
    return f"{visible_line(event.primary.replace('_', ' '))} {event.score:.3f}"


def error_words(event: Evaluation) -> str:
    """Say how uncertain the score is that the choice of the held-out text gave; empty where that is not known."""
    error = event.scores.get("standard_error")
    unit = "bits per byte" if event.primary == "bits_per_byte" else visible_line(event.primary.replace("_", " "))
    return f"± {error:.3f} {unit} is the standard error from the choice of the held-out text" if error else ""


def lossy_words(event: Evaluation) -> str:
    """Say what part of a score is charged for bytes that the tokenizer lost."""
    lost = event.scores["lost_bytes"]
    return (
        f"{8 * lost / max(event.n_bytes, 1):.3f} of it for {plural(int(lost), 'byte')} ({lost / max(event.n_bytes, 1):.1%}) "
        "that the tokenizer loses, 8 bits each: it does not compare with lossless ones"
    )


def is_first_process() -> bool:
    """Say whether this process speaks for the run: it is alone, or the first of torchrun's."""
    return os.environ.get("RANK", "0") == "0"


def step_words(event: Step, plan: Plan | None) -> str:
    """Say how far the run is: ` 10%  step 120/1,200`; where a clock ends the run, ` 10%  step 120/~1,200`."""
    words = f"{event.progress:4.0%}  step {count(event.step)}"
    if plan is None:
        return words
    if plan.recipe.budget().unit != "seconds":
        return f"{words}/{count(plan.steps)}"
    expected = event.step / event.progress if event.progress > 0.02 else plan.steps
    return words if event.progress >= 1 else f"{words}/~{count(expected)}"


def facts(event: Step) -> list[str]:
    """Say the loss, the speed and the time left of a step; where a metric is watched, all of them first."""
    left = f"{duration(event.remaining)} left" if event.progress < 1 else f"{duration(event.seconds)} in all"
    others = [name for name in event.metrics if name != event.watched] if event.watched else []
    watched = [f"{visible_line(name)} {event.metrics.get(name, 0.0):.3f}" for name in filter(None, [event.watched, *others])]
    return [*watched, f"loss {event.loss:.3f}", f"{short(event.tokens_per_second)} tokens/s", left]


def sample_lines(sample: Sample, stream: TextIO) -> list[str]:
    """Return a sampled text behind a bar, the prompt told apart from what was written to it."""
    if sample.masked:
        return _filled_lines(sample, stream)
    prompt, text = visible(sample.prompt), visible(sample.text).rstrip()
    text = text if prompt else text.lstrip("\n")
    folded = fold((prompt + text + visible(sample.suffix)).expandtabs(4), terminal_width() - 4)
    if prompt and prompt in folded[0]:
        folded[0] = paint(prompt, "bold", stream) + folded[0].removeprefix(prompt)
    bar = paint("▌" if takes_unicode(stream) else "|", "magenta", stream)
    title = paint(f"  sampled at step {count(sample.step)}", "dim", stream)
    return [title, *(f"  {bar} {line}" for line in folded), ""]


def _filled_lines(sample: Sample, stream: TextIO) -> list[str]:
    """Return a text with its masks behind one bar, and the text as it was filled in behind another."""
    lines = []
    for title, text in (("read", sample.masked), ("filled in", sample.text)):
        lines.append(paint(f"  {title} at step {count(sample.step)}", "dim", stream))
        bar = paint("▌" if takes_unicode(stream) else "|", "magenta", stream)
        folded = fold(visible(text).strip("\n").expandtabs(4), terminal_width() - 4)
        lines += [f"  {bar} {line}" for line in folded]
    return [*lines, ""]


def takes_unicode(stream: TextIO) -> bool:
    """Say whether the stream's encoding has more than ASCII."""
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")


def result_lines(result: RunResult, stream: TextIO) -> list[str]:
    """Return the end of a run: the score, the time, the place."""
    lines = [""]
    if result.evaluation:
        score = paint(score_words(result.evaluation), "bold green", stream)
        lines.append(f"  {score} on the held-out text")
        if not result.evaluation.lossless:
            lines.append(paint(f"  {lossy_words(result.evaluation)}", "yellow", stream))
        if not math.isnan(result.evaluation.loss):
            detail = f"loss {result.evaluation.loss:.3f} nats per token, perplexity {result.evaluation.perplexity:.1f}"
            lines.append(paint(f"  {detail}", "dim", stream))
        if words := error_words(result.evaluation):
            lines.append(paint(f"  {words}", "dim", stream))
    if result.stop_reason:
        lines.append(f"  Stopped before its budget: {visible_line(result.stop_reason)}")
    done = f"{plural(result.step, 'step')}, {short(result.tokens)} tokens, {duration(result.seconds)} of training"
    return [*lines, f"  {done}", f"  Saved to {paint(visible_line(str(result.folder)), 'bold', stream)}"]


def verdict_lines(words: str, stream: TextIO) -> list[str]:
    """Return what went wrong with a training, as the plan's warnings stand."""
    first, *more = wrap(visible_line(words), terminal_width() - 4)
    return [f"  {paint('! ' + first, 'yellow', stream)}", *(f"    {paint(line, 'yellow', stream)}" for line in more)]
