"""Run the benches, print a table, write JSON.

python -m benchmarks                      everything
python -m benchmarks --only training      one of them; may be given several times
python -m benchmarks --quick              tiny shapes, to see that it works; its figures mean nothing
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from benchmarks.rows import Row, Settings, table
from pentad.system.machine import available_cores, prepare_process

BENCHES = ("startup", "training", "overhead", "tokenizers", "generation", "quality", "studio", "watching", "plan", "cuda")

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure."""
    prepare_process()  # as every run does, before torch is imported
    arguments = _parse()
    threads = arguments.threads or int(os.environ.get("OMP_NUM_THREADS") or 0) or available_cores()
    machine = describe(threads)
    _say_machine(machine)
    rows: list[Row] = []
    for bench in arguments.only or BENCHES:
        found = list(importlib.import_module(f"benchmarks.{bench}").rows(Settings(quick=arguments.quick, threads=threads)))
        print(table(found), flush=True)
        print(flush=True)
        rows += found
    path = _write(arguments.json, {"machine": machine, "quick": arguments.quick, "rows": [row.as_json() for row in rows]})
    print(f"Written to {path}", file=sys.stderr)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed on this machine.")
    parser.add_argument("--only", action="append", choices=BENCHES, help="run this bench only; may be repeated")
    parser.add_argument("--quick", action="store_true", help="tiny shapes, to see that it works; the figures mean nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the results go; benchmarks/results/ if not given")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads of one operation; one per core if not given")
    return parser.parse_args()


def _say_machine(machine: dict[str, Any]) -> None:
    load = machine["load"]
    print(f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads")
    print(f"Python {machine['python']}, torch {machine['torch']}, load average {'unknown' if load is None else f'{load:.2f}'}")
    if load is not None and load > 0.5 * machine["cores"]:
        print(
            "Warning: the machine is busy. Ratios and CPU seconds still hold; figures per second are too low.", file=sys.stderr
        )
    print(flush=True)


def _write(path: Path | None, results: dict[str, Any]) -> Path:
    path = path or RESULTS / f"{time.strftime('%Y-%m-%d-%H%M%S')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
