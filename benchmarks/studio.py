"""How long the studio takes to list a thousand runs, to draw a run of 100,000 logged steps, and to look through 100 MB of text.

The marks: 300 ms for the list, 500 ms for the drawing, a minute for the suffix array and 50 ms for a text that is looked for in
it, on one core that has nothing else to do. The text is made of a corpus' words in the order of chance.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import stages
from benchmarks.rows import Row, Settings

LIST_MARK, DRAW_MARK, SORT_MARK, TRACE_MARK, COMPARE_MARK = 0.3, 0.5, 60.0, 0.05, 60.0
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
    yield from _text(200_000 if settings.quick else 100_000_000)


def _text(n_bytes: int) -> Iterator[Row]:
    """Time the suffix array of a text, 400 bytes that are looked for, and its documents compared with one another."""
    from pydivsufsort import divsufsort

    from pentad_studio.text.duplicates import find_duplicates
    from pentad_studio.trace.index import Documents, Index
    from pentad_studio.trace.search import trace

    (text,) = stages.catalogue().find("corpus", "shakespeare").resolve()()
    words = np.array(text.split())
    drawn = np.random.default_rng(0).choice(words, n_bytes // 5)
    data = np.frombuffer(" ".join(drawn).encode()[:n_bytes], dtype=np.uint8).copy()
    starts = np.arange(0, len(data), 5000, dtype=np.int64)
    data[starts[1:] - 1] = 0xFF
    data[-1] = 0xFF
    size = f"{len(data) / 1e6:.3g} MB"
    found: list[Any] = []
    yield _row(f"sort the suffixes of {size}", lambda: found.append(divsufsort(data)), SORT_MARK)
    index = Index(data, starts, found[0])
    wanted = data[7000:7400].tobytes().decode()
    yield _row(f"trace 400 bytes in {size}", lambda: trace(index, wanted), TRACE_MARK)
    empty = Documents(data[:0], starts[:0])
    yield _row(f"compare the documents of {size}", lambda: find_duplicates(index, empty), COMPARE_MARK)


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
