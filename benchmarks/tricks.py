"""Which settings are worth their time: bits per byte of held-out text, each after the same CPU seconds on one thread.

    python -m benchmarks.tricks --jobs 15 --seconds 60 --seeds 3 --texts shakespeare python-docs
    python -m benchmarks.tricks --only unet swiglu --also wide:model.n_hidden=768 --seconds 60 --texts my.txt
    python -m benchmarks.tricks --show

The settings are in benchmarks/variants.py. Sizes are those that the engine gives to the baseline: found out once for a text
and a budget, written to --out, and the same in all arms, kernels included. The clock of a training is the CPU time of its
process (set-up and scoring left out), so a busy machine costs steps only as far as its cores share caches, memory or units;
with K jobs on K idle cores it is wall time. Each result is a line of JSON in --out as soon as it is there; what is there
already is not done again. Seeds come one after the other over all texts and variants, so that what is there when it is stopped
can be compared.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.timing import cpu_clock
from benchmarks.trick_table import tables
from benchmarks.variants import BASELINE, VARIANTS, Variant, read_option, read_variant
from pentad.system.machine import prepare_process

OUT = Path(__file__).parent / "results" / "tricks.jsonl"

SIZED = {
    "tokenizer": ("vocab_size",),
    "model": ("n_layer", "n_embd", "n_head", "dropout"),
    "training": ("batch_size", "context_length", "max_epochs"),
}
"""The options that the engine sizes for the baseline; all arms have its values."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: `sizes` are options as in a variant, `kernels` what the baseline computes by (`Kernels.as_json`)."""

    text: str
    variant: str
    options: Variant
    seed: int
    seconds: float
    validation: float
    sizes: Variant
    kernels: Mapping[str, Any]

    @property
    def key(self) -> str:
        """What tells it from the others, whatever the variant is called."""
        return key_of(asdict(self))


def key_of(job: Mapping[str, Any]) -> str:
    """Return what two results must have in common to be of the same job."""
    names = ("text", "options", "seed", "seconds", "validation", "sizes")
    return json.dumps({name: job[name] for name in names}, sort_keys=True)


def recipe_of(text: str, seconds: float, options: Variant, seed: int = 0, validation: float = 0.0) -> Any:
    """Return the recipe of a run with these options beside the engine's defaults."""
    from pentad import Choice, Recipe

    tables: dict[str, dict[str, Any]] = {
        "data": {"sources": (text,), "validation": validation},
        "training": {"budget": f"{seconds}s", "seed": seed},
        "machine": {"device": "cpu", "threads": 1, "compile": "off"},
        "evaluation": {"evaluate_every": 0.0},
        "generation": {"sample_every": 0.0, "max_tokens": 1},
        "reporting": {"checkpoint_seconds": 0.0, "log_every": 1000},
    }
    for name, value in options.items():
        table, _, option = name.partition(".")
        tables.setdefault(table, {})[option or "name"] = value
    for stage, usual in Recipe(data=text).choices().items():
        given = tables.pop(stage, {})
        tables[stage] = Choice(given.pop("name", usual.name), **given)  # type: ignore[assignment]
    return Recipe(**tables)  # type: ignore[arg-type]


def baseline_sizes(text: str, seconds: float, common: Variant, validation: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the engine chooses for the baseline on this machine: sizes as options of a variant, and kernels."""
    import pentad
    from pentad.train import assembly, learner

    chosen: list[Any] = []

    def find_kernels(*arguments: Any) -> Any:
        chosen.append(usual(*arguments))
        return chosen[-1]

    usual = learner.find_kernels
    with mock.patch.object(assembly, "find_kernels", find_kernels), cpu_clock():
        tables = pentad.plan(recipe_of(text, seconds, common, validation=validation)).recipe.to_dict()
    sizes = {
        f"{table}.{name}": tables[table][name] for table, names in SIZED.items() for name in names if name in tables[table]
    }
    return sizes, chosen[-1].as_json() if chosen else {}


def train(job: Job) -> dict[str, Any]:
    """Do one job and return its result, or its failure."""
    prepare_process()
    import torch

    import pentad
    from pentad.system.errors import EngineError

    head = {**asdict(job), "torch": torch.__version__}
    wall, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder, _same_kernels(job.kernels), cpu_clock():
        options = {**job.sizes, **job.options}
        recipe = recipe_of(job.text, job.seconds, options, job.seed, job.validation)
        try:
            result = pentad.run(recipe, out=Path(folder) / "run", observers=[])
        except EngineError as error:
            return {**head, "kind": "failure", "code": error.code, "message": str(error)}
    return {
        **head,
        "kind": "result",
        "bits_per_byte": result.bits_per_byte,
        "steps": result.step,
        "tokens": result.tokens,
        "training_cpu_seconds": round(result.seconds, 2),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "wall_seconds": round(time.perf_counter() - wall, 1),
    }


@contextlib.contextmanager
def _same_kernels(kernels: Mapping[str, Any]) -> Iterator[None]:
    """Compute by these kernels, as far as the model and the optimizer have them; measuring is not for busy machines."""
    from pentad.train import assembly
    from pentad.train.computing.kernels import Kernels

    def find_kernels(learner: Any, resolved: Any, prepared: Any, place: Any, *_: Any) -> Any:
        if not kernels:
            return Kernels.usual(place.machine)
        optimizer = kernels["optimizer"] if "muon" in resolved.recipe.optimizer.name else {}
        known = learner.model.kernels()
        model = {name: way for name, way in kernels["model"].items() if way in known.get(name, ())}
        return Kernels.of_json({**kernels, "model": model, "optimizer": optimizer})

    with mock.patch.object(assembly, "find_kernels", find_kernels):
        yield


def known_variants(text: str, seconds: float, variants: Mapping[str, Variant]) -> dict[str, Variant]:
    """Return the variants that the installed plugins know; say which they do not."""
    from pentad import Catalogue, UsageError
    from pentad.registry.resolving import resolve

    known, catalogue = {}, Catalogue()
    for name, options in variants.items():
        try:
            resolve(recipe_of(text, seconds, options), catalogue)
            known[name] = options
        except UsageError as error:
            print(f"Left out {name}: {error}", file=sys.stderr)
    return known


def read(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file of results; the last may be cut short."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        with contextlib.suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return found


def append(path: Path, line: Mapping[str, Any]) -> None:
    """Write a line, so that it is there whatever happens next."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = not path.is_file() or path.read_bytes()[-1:] in (b"", b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write(("" if whole else "\n") + json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def jobs_of(given: argparse.Namespace, variants: Mapping[str, Variant]) -> list[Job]:
    """Return all jobs, those of the first seed first; sizes that are not in the file are found out and written to it."""
    common, sizes = dict(read_option(each) for each in given.set), {}
    for text in given.texts:
        head = {"kind": "sizes", "text": text, "seconds": given.seconds, "validation": given.validation, "common": common}
        match = [line for line in read(given.out) if head.items() <= line.items()]
        if not match:
            chosen, kernels = baseline_sizes(text, given.seconds, common, given.validation)
            match = [{**head, "sizes": {**chosen, **common}, "kernels": kernels}]
            append(given.out, match[0])
        sizes[text] = match[-1]
        print(f"{text}: {match[-1]['sizes']}, kernels {match[-1]['kernels'] or 'as usual'}", file=sys.stderr)
    return [
        Job(
            text=text,
            variant=name,
            options=options,
            seed=seed,
            seconds=given.seconds,
            validation=given.validation,
            sizes=sizes[text]["sizes"],
            kernels=sizes[text]["kernels"],
        )
        for seed in range(given.seeds)
        for text in given.texts
        for name, options in variants.items()
    ]


def work(jobs: Sequence[Job], path: Path, at_once: int) -> None:
    """Do what is not in the file yet, so many at once, and write each result as it comes."""
    done = {key_of(line) for line in read(path) if line["kind"] == "result"}
    left = [job for job in jobs if job.key not in done]
    print(f"{len(left)} trainings to do, {len(jobs) - len(left)} done already", file=sys.stderr)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the workers, before they import torch
    with ProcessPoolExecutor(max(1, min(at_once, len(left))), multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(train, job) for job in left]
        try:
            for number, future in enumerate(as_completed(running), 1):
                line = future.result()
                append(path, line)
                score = f"{line['bits_per_byte']:.4f}, {line['steps']} steps" if line["kind"] == "result" else line["message"]
                print(f"{number}/{len(left)} {line['text']} {line['variant']} seed {line['seed']}: {score}", file=sys.stderr)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what the command line names, and print what came out."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tricks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", nargs="+", default=["shakespeare"], metavar="TEXT", help="files or corpora")
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU seconds of each training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once, a thread each")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these variants, with the baseline; all if not given")
    parser.add_argument("--also", nargs="+", default=[], metavar="NAME:OPTION=VALUE,…", help="further variants")
    parser.add_argument("--set", nargs="+", default=[], metavar="OPTION=VALUE", help="options of all arms")
    parser.add_argument("--validation", type=float, default=0.0, help="score this share of the training text instead")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--show", action="store_true", help="print what is in --out, train nothing")
    given = parser.parse_args(arguments)
    if not given.show:
        prepare_process()
        more = dict(read_variant(each) for each in given.also)
        names = [BASELINE, *(given.only or VARIANTS), *more]
        unknown = set(names) - {*VARIANTS, *more}
        if unknown:
            parser.error(f"unknown variants: {', '.join(sorted(unknown))}; known: {', '.join(VARIANTS)}")
        variants = {name: more.get(name, VARIANTS.get(name, {})) for name in dict.fromkeys(names)}
        jobs = jobs_of(given, known_variants(given.texts[0], given.seconds, variants))
        work(jobs, given.out, given.jobs)
    print(tables(read(given.out)))


if __name__ == "__main__":
    main()
