"""The output of a comparison: tables and a status line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from pentad import Task, TaskResult
from pentad_cli.tools import duration, has_colour, is_terminal, plural, terminal_width, visible
from pentad_compare import collect
from pentad_compare.measures.figures import TokenizerFigures
from pentad_compare.records import Comparison
from pentad_compare.running import Progress, Watcher, planning_failure
from pentad_compare.study import Study
from pentad_compare.terminal import tables
from pentad_compare.terminal.pulse import Pulse


class Screen(Watcher):
    """Writes to a stream; `progress` is what has been done so far.

    Args:
        stream: where to; `--json` writes elsewhere.
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
        self.progress = Progress()
        self._live = is_terminal(stream)
        self._during = contextlib.ExitStack()
        self._pulse: Pulse | None = None
        self._planned_seconds: dict[Path, float] = {}
        self._extra_seconds: list[float] = []
        self._concurrency = 1
        self._total = self._done = 0

    def say(self, text: str = "", style: str = "") -> None:
        """Write a line."""
        self.console.print(Text(text, style=style))

    def intro(self, what: str, study: Study, tries: int) -> None:
        """Write what is compared, before anything is measured."""
        arms, seeds = plural(len(study.arms), "arm"), plural(len(study.seeds), "seed")
        runs = plural(len(study.arms) * len(study.seeds), "run")
        tuning = f", after {plural(tries, 'run')} to tune" if tries else ""
        self.say(f"Comparing {arms} with {seeds}: {runs} of {what}{tuning}", "bold")

    def on_phase(self, title: str, tasks: Sequence[Task], reused: int) -> None:
        """Write the title, and show the status line of the tasks in a terminal."""
        self._during.close()
        self._total, self._done = len(tasks) + reused, reused
        if reused and title != "Planning":
            self.say(f"{title}: {plural(reused, 'run')} found from before", "dim")
        if not tasks:
            return
        self.say(title, "bold")
        if self._live:
            status = self._during.enter_context(self.console.status(_in_one_line("starting", 20)))
            self._pulse = self._during.enter_context(
                Pulse(tasks, lambda line: status.update(_in_one_line(f"{line}{self._left()}", self.console.width - 4)))
            )

    def on_result(self, result: TaskResult) -> None:
        """Write how a task ended."""
        task = result.task
        self._done += 1
        if self._pulse is not None:
            self._pulse.tasks = [other for other in self._pulse.tasks if other.folder != task.folder]
        outcome = collect.outcome_of(task.folder) if task.work.endswith(":train") else None
        if outcome is not None and task.folder in self._planned_seconds:
            self._extra_seconds.append(max(0.0, outcome["wall_seconds"] - self._planned_seconds[task.folder]))
        line = f"  [{self._done}/{self._total}] {visible(task.name)}"
        if result.failure:
            self.say(f"{line}: failed: {visible(result.failure.message)}", "red")
        else:
            self.say(f"{line}{_result_words(task, outcome) if outcome else ''}")

    def on_note(self, note: str) -> None:
        """Write a note."""
        self.say(visible(note), "yellow")

    def close(self) -> None:
        """End the status line."""
        self._during.close()

    def _left(self) -> str:
        """Return the estimated time left: training as planned, and the rest of a run as the finished ones took it."""
        waiting = [task.folder for task in (self._pulse.tasks if self._pulse else ()) if task.folder in self._planned_seconds]
        extra = statistics.median(self._extra_seconds) if self._extra_seconds else 0.0
        seconds = sum(self._planned_seconds[folder] + extra for folder in waiting) / self._concurrency
        return f"   about {duration(seconds)} for {plural(len(waiting), 'run')}" if waiting else ""

    def plan(self, study: Study, concurrency: int, tries: int) -> None:
        """Show the size of every arm, and the time that all runs will take."""
        self.close()
        table = tables.table(*tables.plan_columns(self.console.width))
        failures = []
        for arm in study.arms:
            plan = collect.plan_of(study, arm)
            if plan is None:
                table.add_row(tables.name(arm.label), "failed")
                failures.append(f"{arm.label} cannot be run: {planning_failure(study, arm, self.progress)}")
                continue
            seconds = plan["steps"] * (plan["seconds_per_step"] or 0.0)
            table.add_row(*tables.plan_row(arm.label, plan, seconds, self.console.width))
            for task in (study.train_task(arm, seed) for seed in study.seeds):
                if not collect.is_trained(task.folder):
                    self._planned_seconds[task.folder] = seconds
        self.console.print(table)
        for failure in failures:
            self.say(visible(failure), "red")
        self._concurrency = max(1, concurrency)
        total = sum(self._planned_seconds.values()) / self._concurrency
        runs = len(study.arms) * len(study.seeds)
        reused = runs - len(self._planned_seconds) - len(failures) * len(study.seeds)
        more = f"; {plural(reused, 'run')} found from before" if reused else ""
        if tries:  # the choice of tuning is not known yet, so neither is what can be used again
            self._planned_seconds, more = {}, f", and so do {plural(tries, 'run')} to tune"
        self.say(f"About {duration(total)} of training; set-up and scoring come on top{more}.")

    def result(self, comparison: Comparison) -> None:
        """Show the rankings, the verdicts and the notes."""
        self.close()
        for group in comparison.groups:
            self.say()
            if group.reason:
                self.say(f"Not ranked with the others: {group.reason}", "yellow")
            self.console.print(tables.ranking(comparison, group, self.console.width))
            for difference in group.differences:
                self.say(visible(difference.words), "bold")
        if comparison.groups and self.console.width < tables.WIDE:
            self.say(f"{', '.join(tables.COSTS)}: in the report, or here in {tables.WIDE} columns", "dim")
        if any(arm.samplers for arm in comparison.arms):
            self.say()
            self.console.print(tables.samplers(comparison, self.console.width))
        self.say()
        for note in comparison.notes:
            self.say(visible(note), "yellow")

    def tokenizers(self, results: Sequence[TokenizerFigures]) -> None:
        """Show tokenizers side by side."""
        self.close()
        self.say()
        self.console.print(tables.tokenizers(results, self.console.width))
        for result in results:
            if result.failure:
                self.say(f"{visible(result.label)} failed: {visible(result.failure)}", "red")
        self.say()

    def files(self, folder: Path, figures: Path | None) -> None:
        """Write the paths of the files."""
        self.say(f"The report: {folder / 'report.html'}")
        self.say(f"All figures: {folder / 'comparison.json'}", "dim")
        if figures is not None:
            self.say(f"As SVG: {figures}", "dim")


def _in_one_line(text: str, width: int) -> Text:
    """Return a text cut to one line: a status line that wraps would leave lines behind."""
    line = Text(visible(text), style="dim", no_wrap=True)
    line.truncate(width, overflow="ellipsis")
    return line


def _result_words(task: Task, outcome: Mapping[str, Any]) -> str:
    """Return the score and the time of a finished run, in a few words."""
    final = collect.final_score(task.folder / "run")
    score = f"{final[1]:.3f} {final[0].title} in " if final else ""
    return f": {score}{duration(outcome['wall_seconds'])}"


def plan_json(study: Study, progress: Progress) -> dict[str, Any]:
    """Return the plan for --json."""
    arms = [
        {
            "label": arm.label,
            "settings": arm.settings,
            "plan": collect.plan_of(study, arm),
            "finished_seeds": [seed for seed in study.seeds if collect.is_trained(study.seed_folder(arm, seed))],
            "failure": planning_failure(study, arm, progress),
        }
        for arm in study.arms
    ]
    return {"name": study.name, "baseline": study.baseline, "seeds": list(study.seeds), "arms": arms}
