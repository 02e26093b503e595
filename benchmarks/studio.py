"""How long the studio takes to list a thousand runs, and to draw a run of 100,000 logged steps, new to it and known.

The marks: 300 ms for the list, 500 ms for the drawing, on one core that has nothing else to do.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.rows import Row, Settings

LIST_MARK, DRAW_MARK = 0.3, 0.5
"""Seconds."""

STAGES = {stage: {"name": stage} for stage in ("model", "tokenizer", "builder")}


def rows(settings: Settings) -> Iterator[Row]:
    """Time both, as the pages do it."""
    from pentad import Catalogue
    from pentad_studio.server.studio import Studio
    from pentad_studio.training.page import _list, _parts

    catalogue = Catalogue()
    n_runs, n_steps = (20, 1000) if settings.quick else (1000, 100_000)
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder, "runs")
        for number in range(n_runs):
            _run(runs / f"run-{number}", 20)
        studio = Studio(catalogue=catalogue, runs=runs)
        yield _row(f"list {n_runs:,} runs", lambda: _list(studio, studio.run_names(), "", 60, []), LIST_MARK)
        yield _row(f"list {n_runs:,} runs again", lambda: _list(studio, studio.run_names(), "", 60, []), LIST_MARK)
        _run(runs / "long", n_steps)
        yield _row(f"draw {n_steps:,} steps", lambda: _parts(studio, ["long"], "loss", "step", None), DRAW_MARK)
        yield _row(f"draw {n_steps:,} steps again", lambda: _parts(studio, ["long"], "loss", "step", None), DRAW_MARK)


def _run(folder: Path, n_steps: int) -> None:
    folder.mkdir(parents=True)
    (folder / "engine.json").write_text(json.dumps({"stages": STAGES}), encoding="utf-8")
    with open(folder / "metrics.jsonl", "w", encoding="utf-8") as file:
        for step in range(1, n_steps + 1):
            line = {
                "step": step,
                "loss": 6.9 - 4 * step / n_steps,
                "learning_rate": 0.5,
                "grad_norm": 0.51,
                "tokens": 1024 * step,
            }
            timing = {"seconds": step / 10, "tokens_per_second": 10240.5}
            file.write(json.dumps({"kind": "step", **line, "timing": timing}) + "\n")


def _row(name: str, work: Callable[[], object], mark: float) -> Row:
    began, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    note = "" if cpu <= mark else f"above the mark of {mark} s"
    return Row(bench="studio", name=name, value=cpu, unit="CPU s", wall=wall, cpu=cpu, note=note)
