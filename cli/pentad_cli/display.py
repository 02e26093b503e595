"""What a person sees of a run: the plan, then progress, then the result and what to try next.

A terminal gets one live region; anything else plain lines at sensible intervals. Both are observers of the run.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shlex
import time
from typing import Self, TextIO

from pentad.contracts.observer import Evaluation, Plan, Preparation, RunObserver, RunResult, Sample, Step
from pentad.registry.catalogue import Catalogue
from pentad.system.errors import EngineError
from pentad_cli.layers import default_tables
from pentad_cli.output import fold, paint, terminal_width
from pentad_cli.plan import plan_lines
from pentad_cli.text import count, duration, plural, short, visible, visible_line


class Display(RunObserver):
    """What both displays share: the plan, sampled texts and the end.

    Args:
        stream: where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.plan: Plan | None = None
        self.planned = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the terminal as it was."""

    def write(self, line: str = "") -> None:
        """Write a line at once."""
        print(line, file=self.stream, flush=True)

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

    def show_result(self, result: RunResult, catalogue: Catalogue) -> None:
        """Write how the run ended and what can be done with it."""
        for line in result_lines(result, self.plan, catalogue, self.stream):
            self.write(line)


class PlainDisplay(Display):
    """Lines: the first step, then one for each twentieth of the run, and at least one in half a minute."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._share, self._time, self._doing = -1.0, 0.0, ""

    def on_preparation(self, event: Preparation) -> None:
        """Write what is being done, once."""
        if event.what != self._doing:
            self._doing = event.what
            self.write(f"{visible_line(event.what)} …")

    def on_step(self, event: Step) -> None:
        """Write a line now and then."""
        now = time.monotonic()
        due = event.progress - self._share >= 0.05 and now - self._time >= 1
        if not due and now - self._time < 30 and event.progress < 1:
            return
        self._share, self._time = event.progress, now
        self.write("  ".join([step_words(event, self.plan), *facts(event)]))

    def on_evaluation(self, event: Evaluation) -> None:
        """Write the score."""
        loss = "" if math.isnan(event.loss) else f"  loss {event.loss:.3f}"
        self.write(f"      step {count(event.step)}  held-out {score_words(event)}{loss}")


def score_words(event: Evaluation, unit: str = "bits per byte") -> str:
    """Say the primary score: `2.345 bits per byte`, or for another evaluator `masked-accuracy 0.412`."""
    if event.primary == "bits_per_byte":
        return f"{event.score:.3f} {unit}{'' if event.lossless else ' (lossy)'}"
    return f"{visible_line(event.primary.replace('_', ' '))} {event.score:.3f}"


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
    """Say the loss, the speed and the time left of a step."""
    left = f"{duration(event.remaining)} left" if event.progress < 1 else f"{duration(event.seconds)} in all"
    return [f"loss {event.loss:.3f}", f"{short(event.tokens_per_second)} tokens/s", left]


def sample_lines(sample: Sample, stream: TextIO) -> list[str]:
    """Return a sampled text behind a bar, the prompt told apart from what was written to it."""
    prompt, text = visible(sample.prompt), visible(sample.text).rstrip()
    text = text if prompt else text.lstrip("\n")
    folded = fold((prompt + text).expandtabs(4), terminal_width() - 4)
    if prompt and prompt in folded[0]:
        folded[0] = paint(prompt, "bold", stream) + folded[0].removeprefix(prompt)
    bar = paint("▌" if takes_unicode(stream) else "|", "magenta", stream)
    title = paint(f"  sampled at step {count(sample.step)}", "dim", stream)
    return [title, *(f"  {bar} {line}" for line in folded), ""]


def takes_unicode(stream: TextIO) -> bool:
    """Say whether the stream's encoding has more than ASCII."""
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")


def result_lines(result: RunResult, plan: Plan | None, catalogue: Catalogue, stream: TextIO) -> list[str]:
    """Return the end of a run: the score, the time, the place, and commands to go on with."""
    lines = [""]
    if result.evaluation:
        score = paint(score_words(result.evaluation), "bold green", stream)
        lines.append(f"  {score} on the held-out text")
        if not result.evaluation.lossless:
            lines.append(paint(f"  {lossy_words(result.evaluation)}", "yellow", stream))
        if not math.isnan(result.evaluation.loss):
            detail = f"loss {result.evaluation.loss:.3f} nats per token, perplexity {result.evaluation.perplexity:.1f}"
            lines.append(paint(f"  {detail}", "dim", stream))
    if result.stop_reason:
        lines.append(f"  Stopped before its budget: {visible_line(result.stop_reason)}")
    done = f"{plural(result.step, 'step')}, {short(result.tokens)} tokens, {duration(result.seconds)} of training"
    lines += [f"  {done}", f"  The run lies in {paint(visible_line(str(result.folder)), 'bold', stream)}", ""]
    lines.append("  Try next:")
    return [*lines, *(f"    {paint(command, 'cyan', stream)}" for command in next_commands(result, plan, catalogue)), ""]


def next_commands(result: RunResult, plan: Plan | None, catalogue: Catalogue) -> list[str]:
    """Return commands that work after a run."""
    folder = shlex.quote(str(result.folder))
    commands = []
    if result.samples:  # a bidirectional model writes none
        commands.append(f"engine generate {folder}{_prompt_flag(result, plan, catalogue)}")
    if result.evaluation is not None:  # else there is nothing of its own to score
        commands.append(f"engine evaluate {folder}")
    model = plan.recipe.choice("model").name if plan else ""
    others = [offer.name for offer in catalogue.offers("model") if offer.name not in model.split(":")]
    if others:
        commands.append(f"engine run --model {others[0]}{_data_flags(plan)}")
    return commands


def _data_flags(plan: Plan | None) -> str:
    """Return the flags for the same text, where it is not the default one."""
    sources = list(plan.recipe.data.sources) if plan else []
    if plan is None or sources == default_tables()["data"]["sources"]:
        return ""
    data = plan.recipe.data
    flags = [("data", source) for source in sources]
    flags += [(name, pattern) for name in ("include", "exclude") for pattern in getattr(data, name)]
    flags += [("encoding", data.encoding)] if data.encoding != "auto" else []
    flags += [("text-key", data.text_key)] if data.text_key else []
    return "".join(f" --{name} {shlex.quote(value)}" for name, value in flags)


def _prompt_flag(result: RunResult, plan: Plan | None, catalogue: Catalogue) -> str:
    """Return the flag for a prompt that the run's language goes on from; nothing where there is no short one."""
    given = result.samples[0].prompt if result.samples else ""
    prompt = given or _opening(plan, catalogue)
    return f" --prompt {_quoted(prompt)}" if prompt == visible_line(prompt) and 0 < len(prompt) <= 60 else ""


def _quoted(text: str) -> str:
    return shlex.quote(text) if re.search(r'["\\$`!]', text) else f'"{text}"'


def _opening(plan: Plan | None, catalogue: Catalogue) -> str:
    """Return the first three words that stand together in the run's text: what it writes itself may be no words at all."""
    from pentad.data.corpus import open_corpus

    if plan is None:
        return ""
    with contextlib.suppress(EngineError):
        first = next(open_corpus(plan.recipe.data.sources, catalogue, plan.recipe.data).pieces(), None)
        found = re.search(r"\b[^\W\d_]+(?: [^\W\d_]+){2}\b", first.text[:2000]) if first else None
        return found.group() if found else ""
    return ""
