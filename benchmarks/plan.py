"""How well a plan foretells its run: the most memory of the process, and the time of the training.

    python -m benchmarks --only plan
    python -m benchmarks.plan --show gpt-4x128 soap
    python -m benchmarks.plan --show --time

Each run has a process of its own. Its memory is the most that the process held (`VmHWM`, which starts anew with a process, as
`ru_maxrss` does not), Python and torch and the mapped text included. Its time is the CPU time of one thread, whatever
`--threads` says, so that other programs on the machine count as little as they can.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, Settings, table
from benchmarks.timing import cpu_clock

TEXTS = {"1 MB": 1, "50 MB": 48}
"""How often Shakespeare's plays are read one after the other, with their lines in another order each time."""

STEPS = {"training": {"steps": 4, "budget": None}, "evaluation": {"evaluate_every": 0.5}, "generation": {"sample_every": 0.5}}


def _gpt(layers: int, width: int, batch: int = 8, context: int = 128) -> dict[str, Any]:
    size = {"n_layer": layers, "n_embd": width, "n_head": max(1, width // 32)}
    return {"model": {"name": "gpt", **size}, "training": {"batch_size": batch, "context_length": context}}


def _bpe(size: int) -> dict[str, Any]:
    return {"tokenizer": {"name": "bpe", "vocab_size": size}}


RUNS: dict[str, tuple[str, tuple[dict[str, Any], ...]]] = {
    "defaults": ("1 MB", ()),
    "gpt-2x32": ("1 MB", (_gpt(2, 32), _bpe(1024))),
    "gpt-2x64": ("1 MB", (_gpt(2, 64), _bpe(1024))),
    "gpt-4x128": ("1 MB", (_gpt(4, 128), _bpe(1024))),
    "gpt-6x256": ("1 MB", (_gpt(6, 256), _bpe(1024))),
    "gpt-2x32 of 16 x 256": ("1 MB", (_gpt(2, 32, 16, 256), _bpe(1024))),
    "gpt-4x128 of 16 x 256": ("1 MB", (_gpt(4, 128, 16, 256), _bpe(1024))),
    "gpt-6x256 of 16 x 256": ("1 MB", (_gpt(6, 256, 16, 256), _bpe(1024))),
    "gpt-4x128 byte": ("1 MB", (_gpt(4, 128), {"tokenizer": "byte"})),
    "gpt-2x64 bpe 8,192": ("1 MB", (_gpt(2, 64), _bpe(8192))),
    "gpt-4x128 bpe 8,192": ("1 MB", (_gpt(4, 128), _bpe(8192))),
    "gpt-4x128 of 16 x 256 bpe 8,192": ("1 MB", (_gpt(4, 128, 16, 256), _bpe(8192))),
    "rnn": ("1 MB", ({"model": {"name": "rnn", "n_layer": 2, "n_embd": 128}}, _bpe(1024))),
    "gated-deltanet": ("1 MB", ({"model": {"name": "gated-deltanet", "n_layer": 2, "n_embd": 64}}, _bpe(1024))),
    "bert": ("1 MB", ({"model": {"name": "bert", "n_layer": 4, "n_embd": 128}, "builder": "masked"}, _bpe(1024))),
    "ngram": ("1 MB", ({"model": "ngram"}, _bpe(1024))),
    "adamw": ("1 MB", (_gpt(6, 256), _bpe(1024), {"optimizer": "adamw"})),
    "soap": ("1 MB", (_gpt(6, 256), _bpe(1024), {"optimizer": "soap"})),
    "bf16": ("1 MB", (_gpt(6, 256), _bpe(1024), {"machine": {"precision": "bf16"}})),
    "bf16 of 16 x 256": ("1 MB", (_gpt(6, 256, 16, 256), _bpe(1024), {"machine": {"precision": "bf16"}})),
    "4 micro-batches": ("1 MB", (_gpt(6, 256, 16, 256), _bpe(1024), {"training": {"gradient_accumulation": 4}})),
    "recompute": ("1 MB", (_gpt(6, 256, 16, 256), _bpe(1024), {"machine": {"recompute": True}})),
    "gpt-2x64 of 50 MB": ("50 MB", (_gpt(2, 64), _bpe(1024))),
    "gpt-4x128 byte of 50 MB": ("50 MB", (_gpt(4, 128), {"tokenizer": "byte"})),
    "averaging": ("1 MB", (_gpt(6, 256), _bpe(1024), {"optimizer": {"name": "adamw", "average": 0.5}})),
    "schedule-free": ("1 MB", (_gpt(6, 256), _bpe(1024), {"optimizer": "schedule-free"})),
}
"""Name to the text and the options beside the defaults: runs of a few steps with an evaluation, a sample and a checkpoint."""

TIMED: dict[str, tuple[str, tuple[dict[str, Any], ...]]] = {
    "15 s": ("1 MB", ({"training": {"budget": "15s"}},)),
    "30 s": ("1 MB", ({"training": {"budget": "30s"}},)),
    "60 s": ("1 MB", ({"training": {"budget": "60s"}},)),
    "15 s of gpt-2x32": ("1 MB", (_gpt(2, 32), {"training": {"budget": "15s"}})),
    "15 s of gpt-4x128": ("1 MB", (_gpt(4, 128), {"training": {"budget": "15s"}})),
    "300 steps": ("1 MB", (_gpt(2, 64), {"training": {"steps": 300, "budget": None}})),
    "800 steps": ("1 MB", (_gpt(2, 64), {"training": {"steps": 800, "budget": None}})),
    "100 steps of gpt-4x128": ("1 MB", (_gpt(4, 128), {"training": {"steps": 100, "budget": None}})),
    "an epoch": ("1 MB", (_gpt(2, 64), {"training": {"budget": "1epochs"}})),
    "2 MB": ("1 MB", (_gpt(2, 64), {"training": {"budget": "2MB"}})),
    "adamw": ("1 MB", (_gpt(2, 64), {"optimizer": "adamw", "training": {"steps": 500, "budget": None}})),
    "rnn": ("1 MB", ({"model": {"name": "rnn", "n_layer": 2, "n_embd": 128}}, {"training": {"budget": "15s"}})),
}
"""Runs that are long enough to compare their time with the plan's."""

QUICK = {"quick": ("1 MB", (_gpt(1, 16), {"tokenizer": "byte"}))}


def rows(settings: Settings) -> Iterator[Row]:
    """Compare what plans say with what runs do."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (text, tables) in (QUICK if settings.quick else RUNS).items():
            found = measured(text, (STEPS, *tables), Path(folder), settings.threads)
            yield _row(f"memory: {name}", found["planned_memory"] / 1e6, found["peak"] / 1e6, "MB", _stages(found))
        for name, (text, tables) in (QUICK if settings.quick else TIMED).items():
            short = {"training": {"steps": 4, "budget": None}} if settings.quick else {}
            found = measured(text, (*tables, short), Path(folder), 1)
            yield from _time_rows(name, found)


def _row(name: str, planned: float, happened: float, unit: str, note: str) -> Row:
    said = f"planned {planned:,.4g}, {planned / happened:.3f} of it"
    return Row(bench="plan", name=name, value=happened, unit=unit, note=f"{said}{'; ' + note if note else ''}")


def _stages(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{stage} {size / 1e6:.0f}" for stage, size in found["stages"].items())


def _time_rows(name: str, found: Mapping[str, Any]) -> Iterator[Row]:
    if found["by_clock"]:
        yield _row(f"time: {name}", found["planned_steps"], found["steps"], "steps", "")
    else:
        yield _row(f"time: {name}", found["planned_seconds"], found["training"], "CPU s", "")
    beside = found["whole"] - found["training"]
    parts = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in found["beside"].items())
    yield Row(bench="plan", name=f"beside the steps: {name}", value=100 * beside / found["training"], unit="%", note=parts)


def measured(text: str, tables: tuple[Mapping[str, Any], ...], folder: Path, threads: int) -> dict[str, Any]:
    """Do a run in a process of its own; the folder keeps texts and the cache, so that each is made once."""
    together: dict[str, Any] = {"machine": {"device": "cpu", "threads": threads, "precision": "fp32"}}
    for each in tables:
        for name, values in each.items():
            mine = together.get(name, {})
            together[name] = {**mine, **values} if isinstance(values, Mapping) and isinstance(mine, Mapping) else values
    together["data"] = {"sources": [str(_text(text, folder))]}
    environment = {**os.environ, "PENTAD_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "benchmarks.plan", "--child", json.dumps(together)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{together}\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _text(name: str, folder: Path) -> Path:
    path = folder / f"{name.replace(' ', '')}.txt"
    if not path.exists():
        import lzma
        import random
        from importlib import resources

        packed = resources.files("pentad_shakespeare").joinpath("tinyshakespeare.txt.xz").read_bytes()
        parts = lzma.decompress(packed).decode().split("\n\n")
        with path.open("w", encoding="utf-8") as file:
            for number in range(TEXTS[name]):
                if number:
                    random.Random(number).shuffle(parts)
                file.write("\n\n".join(parts) + "\n\n")
    return path


def run_here(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Do a run in this process by the clock of its CPU time, and return what was planned and what happened."""
    from pentad.system.machine import peak_memory, prepare_process

    prepare_process()
    import pentad
    from pentad import RunObserver

    paces: list[float] = []
    found: dict[str, Any] = {"stages": {}, "beside": {"evaluations": 0.0, "samples": 0.0, "checkpoints": 0.0}}

    class Notes(RunObserver):
        """Notes the most memory so far, and the time since the event before, at each event that is not a step."""

        last = began = time.process_time()

        def _passed(self, stage: str, part: str = "") -> None:
            found["stages"][stage] = peak_memory()
            now = time.process_time()
            if part:
                found["beside"][part] += now - self.last
            self.last = now

        def on_start(self, plan: Any) -> None:
            self._passed("plan")
            self.began = time.process_time()
            found.update(planned_memory=plan.memory_bytes, planned_steps=plan.steps, planned_seconds=plan.seconds)
            found["by_clock"] = plan.recipe.budget().unit == "seconds"
            found["per_step"] = plan.seconds_per_step

        def on_step(self, step: Any) -> None:
            self._passed("step")
            paces.append(step.tokens_per_second)

        def on_evaluation(self, evaluation: Any) -> None:
            self._passed("final evaluation" if evaluation.final else "evaluation", "" if evaluation.final else "evaluations")

        def on_sample(self, sample: Any) -> None:
            self._passed("final sample" if sample.final else "sample", "" if sample.final else "samples")

        def on_checkpoint(self, saved: Any) -> None:
            self._passed("checkpoint", "checkpoints")
            found["whole"] = time.process_time() - self.began

    with tempfile.TemporaryDirectory() as folder, cpu_clock():
        result = pentad.run(_recipe(tables), out=Path(folder, "run"), observers=[Notes()])
    training = {"steps": result.step, "training": result.seconds, "tokens": result.tokens}
    return {**found, **training, "peak": peak_memory(), "paces": paces}


def _recipe(tables: Mapping[str, Any]) -> Any:
    """Return the recipe of these tables beside the engine's defaults."""
    from pentad import Choice, Recipe

    choices: dict[str, Any] = {}
    for stage, usual in Recipe(data=tables["data"]).choices().items():
        given = tables.get(stage, {})
        given = dict(given) if isinstance(given, Mapping) else {"name": given}
        choices[stage] = Choice(given.pop("name", usual.name), **given)
    return Recipe(**{**tables, **choices})


def main() -> None:
    """Do what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--show", nargs="*", metavar="RUN", help="the runs to do; all if none is named")
    parser.add_argument("--time", action="store_true", help="those of time in place of those of memory")
    parser.add_argument("--folder", type=Path, help="keep texts and the cache there")
    given = parser.parse_args()
    if given.child:
        print(json.dumps(run_here(json.loads(given.child))))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        for name, (text, tables) in (TIMED if given.time else RUNS).items():
            if given.show and name not in given.show:
                continue
            found = measured(text, tables if given.time else (STEPS, *tables), folder, 1)
            if given.time:
                print(table(list(_time_rows(name, found))), flush=True)
            else:
                print(table([_row(name, found["planned_memory"] / 1e6, found["peak"] / 1e6, "MB", _stages(found))]), flush=True)


if __name__ == "__main__":
    main()
