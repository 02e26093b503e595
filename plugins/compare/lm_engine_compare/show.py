"""What a comparison shows in the terminal: the plan, a line a run, the table, the verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.table import Table

from lm_engine.executor import Ended, Task, TaskExecutor
from lm_engine_cli.output import has_colour, terminal_width
from lm_engine_cli.text import visible
from lm_engine_compare import collect
from lm_engine_compare.comparing import Found, Watcher, failure_of_plan
from lm_engine_compare.records import ArmResult, Comparison, Group
from lm_engine_compare.study import Study
from lm_engine_compare.work import OUTCOME

if TYPE_CHECKING:
    from lm_engine_compare.tuning import Tuning


class Screen(Watcher):
    """Writes to a stream.

    Args:
        stream: where to; results of `--json` go elsewhere.
        folder: of the comparison.
    """

    def __init__(self, stream: TextIO, folder: Path) -> None:
        self.console = Console(
            file=stream, width=terminal_width(120), no_color=not has_colour(stream), highlight=False, emoji=False, markup=False
        )
        self.folder = folder
        self._left = 0
        self._total = 0

    def say(self, text: str = "", style: str = "") -> None:
        """Write lines."""
        self.console.print(text, style=style or None, soft_wrap=False)

    def intro(self, study: Study, tuning: Tuning | None, executor: TaskExecutor) -> None:
        """Say what is compared, before anything is measured."""
        runs = len(study.arms) * len(study.seeds)
        budget = study.arms[0].recipe.training_options()
        each = f"{budget.steps} steps" if budget.steps is not None else str(budget.budget)
        self.say(f"Comparing {_count(len(study.arms), 'arm')}, {_count(len(study.seeds), 'seed')} each: "
                 f"{_count(runs, 'run')} of {each}", "bold")

    def on_phase(self, what: str, tasks: Sequence[Task], reused: int) -> None:
        """Say how many tasks are about to start."""
        self._total, self._left = len(tasks) + reused, len(tasks)
        if tasks:
            known = f" ({reused} of {self._total} done before)" if reused else ""
            self.say(f"{what}{known}", "bold")
        elif reused and what != "Planning":
            self.say(f"{what}: {reused} done before", "dim")

    def on_end(self, ended: Ended) -> None:
        """Say how a task went."""
        self._left -= 1
        place = f"  [{self._total - self._left}/{self._total}] {ended.task.name}"
        if ended.failure:
            self.say(f"{place}: failed: {ended.failure} {ended.hint}".rstrip(), "red")
            return
        self.say(f"{place}{_told(ended.task)}")

    def on_note(self, note: str) -> None:
        """Pass it on."""
        self.say(note, "yellow")

    def plan(self, study: Study, tuning: Tuning | None, executor: TaskExecutor, found: Found) -> None:
        """Say what every arm is and what the whole will take."""
        table = Table(box=None, pad_edge=False)
        for heading in ("arm", "parameters", "vocabulary", "bytes/token", "steps", "time a run", "memory"):
            table.add_column(heading, justify="left" if heading == "arm" else "right")
        total = 0.0
        for arm in study.arms:
            facts = collect.read_if_whole(study.arm_folder(arm) / "plan" / "plan.json")
            failure = failure_of_plan(study, arm, found)
            if facts is None:
                table.add_row(arm.label, f"failed: {failure}")
                continue
            seconds = facts["steps"] * (facts["seconds_per_step"] or 0.0)
            open_runs = [seed for seed in study.seeds if not collect.is_trained(study.seed_folder(arm, seed))]
            total += seconds * len(open_runs)
            table.add_row(
                arm.label,
                number(sum(facts["parameters"].values())),
                number(facts["vocab_size"]),
                f"{facts['train_bytes'] / max(1, facts['train_tokens']):.2f}",
                number(facts["steps"]),
                duration(seconds),
                size(facts["memory_bytes"]),
            )
        self.console.print(table)
        tries = sum(1 for _ in ()) if tuning is None else 0
        del tries
        self.say(f"About {duration(total / max(1, executor.concurrency))} of training, set-up and scoring not counted. "
                 f"Runs lie in {study.folder / 'runs'}.", "dim")

    def dry(self) -> None:
        """Say that this was all."""
        self.say("This was a dry run: nothing was trained.")

    def result(self, comparison: Comparison, folder: Path) -> None:
        """Show the table and the verdicts."""
        for group in comparison.groups:
            self._group(comparison, group)
        for note in comparison.notes:
            self.say(note, "yellow")
        self.say()
        self.say(f"The report: {folder / 'report.html'}")
        self.say(f"All figures: {folder / 'comparison.json'}")

    def _group(self, comparison: Comparison, group: Group) -> None:
        self.say()
        if group.reason:
            self.say(f"Apart: {group.reason}", "yellow")
        table = Table(box=None, pad_edge=False)
        for heading in ("arm", "bits per byte", "difference", "seeds", "parameters", "tokens/s", "bytes/s", "memory"):
            table.add_column(heading, justify="left" if heading == "arm" else "right", overflow="fold")
        for label in group.arms:
            table.add_row(*_row(comparison.arm(label), group))
        self.console.print(table)
        self.say()
        for difference in group.differences:
            self.say(difference.words, "bold")


def _row(arm: ArmResult, group: Group) -> list[str]:
    done = [each for each in arm.seeds if not each.failure]
    if not done:
        return [arm.label, "failed", visible(arm.failure)]
    difference = next((each for each in group.differences if each.arm == arm.label), None)
    told = "baseline" if arm.label == group.baseline else ""
    if difference is not None and difference.mean is not None:
        told = f"{difference.mean:+.3f}"
        if difference.low is not None and difference.high is not None:
            told += f" [{difference.low:+.3f}, {difference.high:+.3f}]"
    score = "none" if arm.mean is None else f"{arm.mean:.3f}" + (f" ± {arm.spread:.3f}" if arm.spread is not None else "")
    return [
        arm.label,
        score,
        told,
        f"{len(done)}" if len(done) == len(arm.seeds) else f"{len(done)} of {len(arm.seeds)}",
        number(arm.n_parameters),
        number(sum(each.tokens_per_second for each in done) / len(done)),
        number(sum(each.bytes_per_second for each in done) / len(done)),
        size(max(each.peak_memory_bytes for each in done)),
    ]


def plan_json(study: Study, found: Found) -> dict[str, Any]:
    """Return the plan for machines."""
    arms = []
    for arm in study.arms:
        facts = collect.read_if_whole(study.arm_folder(arm) / "plan" / "plan.json")
        done = [seed for seed in study.seeds if collect.is_trained(study.seed_folder(arm, seed))]
        arms.append(
            {"label": arm.label, "settings": arm.settings, "plan": facts, "finished_seeds": done,
             "failure": failure_of_plan(study, arm, found)}
        )
    return {"name": study.name, "baseline": study.baseline, "seeds": study.seeds, "arms": arms}


def _told(task: Task) -> str:
    """Return what a finished task gave, in a few words."""
    outcome: Mapping[str, Any] | None = collect.read_if_whole(task.folder / OUTCOME)
    if outcome is None or task.name.endswith((", texts", ", plan")):
        return ""
    scores = [line for line in collect.read_lines(task.folder / "run" / "metrics.jsonl") if line.get("final")]
    score = f"{scores[-1]['bits_per_byte']:.3f} bits per byte, " if scores else ""
    return f": {score}{duration(outcome['wall_seconds'])}"


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def number(value: float) -> str:
    """Return a count in few characters: 950, 12.3k, 4.5M."""
    for scale, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= scale:
            return f"{value / (1e3 if letter == 'k' else scale):.3g}{letter}"
    return f"{value:.0f}"


def size(value: float) -> str:
    """Return bytes as MB or GB."""
    return f"{value / 1e9:.2f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"


def duration(seconds: float) -> str:
    """Return a time in the units that people use."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
