"""The live display: one region with bar, figures and loss curve that is redrawn in place; sampled texts scroll above it."""

from __future__ import annotations

import contextlib
import math
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pentad.contracts.observer import Evaluation, Plan, Preparation, RunResult, Step
from pentad_cli.terminal.curve import GUTTER, draw, step_axis
from pentad_cli.terminal.display import Display, facts, score_words, step_words, takes_unicode
from pentad_cli.terminal.output import has_colour, terminal_width
from pentad_cli.terminal.text import count, visible_line
from pentad_cli.terminal.verdict import overfitting

CURVE_HEIGHT = 8


class LiveDisplay(Display):
    """A region that is redrawn four times a second."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._unicode = takes_unicode(stream)
        self._marks = list[tuple[float, float]]()
        self._training_began = False
        self._doing: Preparation | None = None
        self._step: Step | None = None
        self._evaluation: Evaluation | None = None
        console = Console(file=stream, no_color=not has_colour(stream), highlight=False, markup=False, emoji=False)
        self._live = Live(get_renderable=self.render, console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> Self:
        """Open the region."""
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the last picture standing and give the cursor back."""
        self._doing = None
        with contextlib.suppress(OSError):  # a terminal that was closed must not hide how the run ended
            self._live.stop()

    def write(self, line: str = "") -> None:
        """Write a line above the region."""
        self._live.console.print(Text.from_ansi(line), soft_wrap=True)

    def on_preparation(self, event: Preparation) -> None:
        """Show what is being done."""
        self._doing = event

    def show_plan(self, plan: Plan) -> None:
        """Write the plan; preparation is over."""
        self._doing = None
        super().show_plan(plan)

    def on_start(self, event: Plan) -> None:
        """Write the plan and wait for the first step."""
        super().on_start(event)
        self._training_began = True

    def on_step(self, event: Step) -> None:
        """Add to the curve."""
        super().on_step(event)
        self._step = event

    def on_evaluation(self, event: Evaluation) -> None:
        """Mark the held-out loss on the curve."""
        super().on_evaluation(event)
        self._evaluation = event
        if (
            math.isfinite(event.loss) and not self.history.watched
        ):  # the curve is of losses; another score has no place on its axis
            self._marks.append((self._step.progress if self._step else 0.0, event.loss))

    def on_end(self, event: RunResult) -> None:
        """Draw the last picture."""
        self._live.refresh()

    def render(self) -> Group:
        """Return what the region shows now."""
        width = terminal_width()
        if self._step is not None:
            return Group(*self._training(self._step, width))
        doing = self._doing or (Preparation(what=_waiting(self.plan)) if self.plan and self._training_began else None)
        return Group(*([_preparation(doing, width, self._unicode)] if doing else []))

    def _ends(self, step: Step) -> tuple[str, str]:
        """Return what stands at the two ends of the axis of steps: where a clock ends the run, its last one is a guess."""
        if self.plan is None:
            return "0", ""
        by_clock = self.plan.recipe.budget().unit == "seconds"
        last = step.step / step.progress if by_clock and step.progress > 0.02 else self.plan.steps
        return "0", f"{'~' if by_clock and step.progress < 1 else ''}{count(last)} steps"

    def _legend(self, width: int) -> Text:
        line, mark = ("⠤⠤", "◆") if self._unicode else ("**", "o")
        words = Text(" " * GUTTER, no_wrap=True, overflow="ellipsis")
        watched = visible_line(self.history.watched)
        words.append(line, "green").append(f" {watched or 'training loss'}")
        if watched:
            words.truncate(width - 2)
            return words
        if self._marks:
            words.append("   ").append(mark, "bold yellow").append(" held-out loss")
        words.append("   nats per token, log scale", "dim")
        found = overfitting(self.history)
        if found is not None:
            words.append(f"   overfitting since step {count(found[0].step)}", "bold red")
        words.truncate(width - 2)
        return words

    def _training(self, step: Step, width: int) -> list[Text]:
        drawn = draw(
            self.history.curve, self._marks, width - 2, CURVE_HEIGHT, unicode=self._unicode, log=not self.history.watched
        )
        lines = [_coloured(line) for line in drawn]
        if drawn:
            lines.append(Text(step_axis(width - 2, *self._ends(step), unicode=self._unicode), style="dim", no_wrap=True))
            lines.append(self._legend(width))
        label = step_words(step, self.plan)
        bar = _bar(step.progress, width - 6 - len(label), self._unicode)
        lines.append(Text.assemble("  ", bar, "  ", (label, "bold")))
        figures = facts(step)
        if self._evaluation:
            figures.append(f"held-out {score_words(self._evaluation, 'bits/byte')}")
        lines.append(Text("  " + " · ".join(figures), no_wrap=True, overflow="ellipsis"))
        return lines


def _waiting(plan: Plan) -> str:
    compiles = plan.compiled and not plan.compiling_seconds
    return "Compiling the model, which takes up to a few minutes" if compiles else "Taking the first steps"


def _coloured(line: str) -> Text:
    text = Text.assemble((line[:GUTTER], "dim"), (line[GUTTER:], "green"), no_wrap=True, overflow="crop")
    text.highlight_regex(r"[◆o]", "bold yellow")
    return text


def _bar(share: float, width: int, unicode: bool) -> Text:
    full, rest = ("━", "─") if unicode else ("#", "-")
    done = round(min(max(share, 0.0), 1.0) * width)
    return Text.assemble((full * done, "green"), (rest * (width - done), "dim"))


def _preparation(event: Preparation, width: int, unicode: bool) -> Text:
    text = Text(f"  {visible_line(event.what)} …")
    if event.done is not None:
        label = f" {event.done:4.0%}  "
        room = max(8, min(30, width - len(text) - len(label) - 2))
        text = Text.assemble(text, "  ", _bar(event.done, room, unicode), label)
    text.truncate(width)
    return text
