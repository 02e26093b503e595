"""What a comparison says in the terminal, and where nobody looks as plain lines."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from pentad import Task, TaskResult
from pentad.tools import read_lines
from pentad_cli.tools import duration, has_colour, is_terminal, plural, terminal_width, visible
from pentad_compare import collect, tables
from pentad_compare.comparing import Found, Watcher, failure_of_plan
from pentad_compare.pulse import Pulse
from pentad_compare.records import Comparison, TokenizerFigures
from pentad_compare.study import Study


class Screen(Watcher):
    """Writes to a stream.

    Args:
        stream: where to; what `--json` prints goes elsewhere.
    """

    def __init__(self, stream: TextIO) -> None:
        self.console = Console(
            file=stream,
            width=terminal_width(120) if is_terminal(stream) else 120,
            no_color=not has_colour(stream),
            force_terminal=is_terminal(stream),
            highlight=False,
            emoji=False,
            markup=False,
        )
        self._live = is_terminal(stream)
        self._during = contextlib.ExitStack()
        self._pulse: Pulse | None = None
        self._seconds: dict[Path, float] = {}
        self._beside: list[float] = []
        self._concurrency = 1
        self._total = self._over = 0

    def say(self, text: str = "", style: str = "") -> None:
        """Write a line."""
        self.console.print(Text(text, style=style))

    def intro(self, what: str, study: Study, tries: int) -> None:
        """Say what is compared, before anything is measured."""
        arms, seeds = plural(len(study.arms), "arm"), plural(len(study.seeds), "seed")
        runs = plural(len(study.arms) * len(study.seeds), "run")
        tuning = f", after {plural(tries, 'run')} to tune" if tries else ""
        self.say(f"Comparing {arms} with {seeds}: {runs} of {what}{tuning}", "bold")

    def on_phase(self, what: str, tasks: Sequence[Task], reused: int) -> None:
        """Say what starts, and keep saying how it goes where somebody looks."""
        self._during.close()
        self._total, self._over = len(tasks) + reused, reused
        if reused and what != "Planning":
            self.say(f"{what}: {plural(reused, 'run')} found from before", "dim")
        if not tasks:
            return
        self.say(what, "bold")
        if self._live:
            status = self._during.enter_context(self.console.status(_in_one_line("starting", 20)))
            self._pulse = self._during.enter_context(
                Pulse(tasks, lambda line: status.update(_in_one_line(f"{line}{self._left()}", self.console.width - 4)))
            )

    def on_end(self, ended: TaskResult) -> None:
        """Say how a task went."""
        self._over += 1
        if self._pulse is not None:
            self._pulse.tasks = [task for task in self._pulse.tasks if task.folder != ended.task.folder]
        outcome = collect.outcome_of(ended.task.folder) if ended.task.work.endswith(":train") else None
        if outcome is not None and ended.task.folder in self._seconds:
            self._beside.append(max(0.0, outcome["wall_seconds"] - self._seconds[ended.task.folder]))
        place = f"  [{self._over}/{self._total}] {visible(ended.task.name)}"
        if ended.failure:
            self.say(f"{place}: failed: {visible(ended.failure.message)}", "red")
        else:
            self.say(f"{place}{_gave(ended.task, outcome) if outcome else ''}")

    def on_note(self, note: str) -> None:
        """Pass it on."""
        self.say(visible(note), "yellow")

    def close(self) -> None:
        """End what is still moving."""
        self._during.close()

    def _left(self) -> str:
        """Return the estimated time of the runs that are not over: training as planned, all else as finished runs had it."""
        waiting = [each.folder for each in (self._pulse.tasks if self._pulse else ()) if each.folder in self._seconds]
        beside = statistics.median(self._beside) if self._beside else 0.0
        seconds = sum(self._seconds[folder] + beside for folder in waiting) / self._concurrency
        return f"   about {duration(seconds)} for {plural(len(waiting), 'run')}" if waiting else ""

    def plan(self, study: Study, found: Found, concurrency: int, tries: int) -> None:
        """Say what every arm is and what the whole will take."""
        self.close()
        made = tables.table(*tables.PLAN)
        failures = []
        for arm in study.arms:
            facts = collect.plan_facts(study, arm)
            if facts is None:
                made.add_row(tables.name(arm.label), "failed")
                failures.append(f"{arm.label} cannot be run: {failure_of_plan(study, arm, found)}")
                continue
            seconds = facts["steps"] * (facts["seconds_per_step"] or 0.0)
            made.add_row(*tables.plan_row(arm.label, facts, seconds))
            for task in (study.train_task(arm, seed) for seed in study.seeds):
                if not collect.is_trained(task.folder):
                    self._seconds[task.folder] = seconds
        self.console.print(made)
        for failure in failures:
            self.say(visible(failure), "red")
        self._concurrency = max(1, concurrency)
        total = sum(self._seconds.values()) / self._concurrency
        runs = len(study.arms) * len(study.seeds)
        reused = runs - len(self._seconds) - len(failures) * len(study.seeds)
        known = f"; {plural(reused, 'run')} found from before" if reused else ""
        if tries:  # what tuning chooses is not known yet, so neither is what can be found from before
            self._seconds, known = {}, f", and so do {plural(tries, 'run')} to tune"
        self.say(f"About {duration(total)} of training; set-up and scoring come on top{known}.")

    def result(self, comparison: Comparison) -> None:
        """Show the tables and the verdicts."""
        self.close()
        for group in comparison.groups:
            self.say()
            if group.reason:
                self.say(f"Apart: {group.reason}", "yellow")
            self.console.print(tables.ranking(comparison, group, self.console.width))
            for difference in group.differences:
                self.say(visible(difference.words), "bold")
        if comparison.groups and self.console.width < tables.WIDE:
            self.say(f"{', '.join(tables.COSTS)}: in the report, or here in {tables.WIDE} columns", "dim")
        if any(arm.samplers for arm in comparison.arms):
            self.say()
            self.console.print(tables.samplers(comparison))
        self.say()
        for note in comparison.notes:
            self.say(visible(note), "yellow")

    def tokenizers(self, found: Sequence[TokenizerFigures]) -> None:
        """Show tokenizers side by side."""
        self.close()
        self.say()
        self.console.print(tables.tokenizers(found))
        for each in found:
            if each.failure:
                self.say(f"{visible(each.label)} failed: {visible(each.failure)}", "red")
        self.say()

    def files(self, folder: Path) -> None:
        """Say where the report lies."""
        self.say(f"The report: {folder / 'report.html'}")
        self.say(f"All figures: {folder / 'comparison.json'}", "dim")


def _in_one_line(text: str, width: int) -> Text:
    """Return a text that does not wrap, which would leave lines behind."""
    made = Text(visible(text), style="dim", no_wrap=True)
    made.truncate(width, overflow="ellipsis")
    return made


def _gave(task: Task, outcome: Mapping[str, Any]) -> str:
    """Return what a finished run gave, in a few words."""
    lines = read_lines(task.folder / "run" / "metrics.jsonl")
    scores = [line["bits_per_byte"] for line in lines if line.get("final") and "bits_per_byte" in line]
    score = f"{scores[-1]:.3f} bits per byte in " if scores else ""
    return f": {score}{duration(outcome['wall_seconds'])}"


def plan_json(study: Study, found: Found) -> dict[str, Any]:
    """Return the plan for machines."""
    arms = [
        {
            "label": arm.label,
            "settings": arm.settings,
            "plan": collect.plan_facts(study, arm),
            "finished_seeds": [seed for seed in study.seeds if collect.is_trained(study.seed_folder(arm, seed))],
            "failure": failure_of_plan(study, arm, found),
        }
        for arm in study.arms
    ]
    return {"name": study.name, "baseline": study.baseline, "seeds": list(study.seeds), "arms": arms}
