"""A study: the arms, the seeds, the budget and the text of a comparison, and the folders of its runs.

    DIR/runs/bpe-gpt-muon-KEY/plan/         what the arm's runs will cost
    DIR/runs/bpe-gpt-muon-KEY/seed-N/run/   a run, as `engine run` makes it
    DIR/runs/bpe-gpt-muon-KEY/seed-N/outcome.json, texts.json
    DIR/NAME/comparison.json, report.html

KEY is a digest of everything that decides an arm's result but the seed: its recipe, the text, the code. So another comparison
in the same DIR uses the runs that it shares with earlier ones, and none that has changed since.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pentad
from pentad import Catalogue, Recipe, Task
from pentad.tools import (
    TABLES,
    Split,
    available_cores,
    changed,
    describe,
    given,
    read_json,
    resolve,
    source_digest,
    written_tables,
)
from pentad_compare.arms import TRAINED, Arm
from pentad_compare.results import PLAN, place_of, read_result


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is compared.

    Args:
        arms: what is compared; two of the same recipe are trained separately.
        seeds: every arm's.
        folder: of runs and reports.
        name: of the report's folder.
        split: the text, split as every run splits it.
        catalogue: what is installed; plugins: files of --plugin.
        prompts: how many prompts the samples are written for; text_bytes: how long a sample is.
        threads: CPU threads of a run, None for its own choice; jobs: runs at once.
        baseline: label of the arm that the others are compared with.
        confidence, detect: as in `records.Comparison`.
        command: the command line that repeats the study.
    """

    arms: Sequence[Arm]
    seeds: Sequence[int]
    folder: Path
    name: str
    split: Split
    catalogue: Catalogue
    plugins: Sequence[Path]
    prompts: int
    text_bytes: int
    threads: int | None
    jobs: int
    baseline: str
    confidence: float
    detect: float
    command: str

    @property
    def report(self) -> Path:
        """The folder of comparison.json and report.html."""
        return self.folder / self.name

    @property
    def budget(self) -> str:
        """What each run gets, in words."""
        training = self.arms[0].recipe.training
        return f"{training.steps} steps" if training.steps is not None else str(training.budget)

    def arm_folder(self, arm: Arm) -> Path:
        """Return the folder of an arm's runs."""
        same = [other for other in self.arms if other.recipe == arm.recipe]
        index = next((number for number, other in enumerate(same) if other is arm), 0)
        # Not by its label, which says what varies in this comparison: in another one the same arm has another label.
        name = slug("-".join(arm.recipe.choice(stage).name.rpartition(":")[2] for stage in ("tokenizer", "model", "optimizer")))
        return self.folder / "runs" / f"{name}-{self.key(arm.recipe, index)}"

    def key(self, recipe: Recipe, index: int = 0) -> str:
        """Return a digest of all that decides an arm's results; `index` counts arms of the same recipe."""
        tables = {table: _deciding(getattr(recipe, table)) for table in TABLES}
        # What is left open is sized for each arm; the seed has a folder of its own.
        fixed = given(recipe.training) - {"seed"}
        tables["training"] = {name: value for name, value in tables["training"].items() if name in fixed}
        del tables["machine"]["threads"]  # the executor's share of the cores; it counts where time is the budget, see below
        decides: dict[str, Any] = {stage: self._stage(stage, recipe) for stage in TRAINED}
        decides |= {**tables, "text": self.split.fingerprint, "index": index}
        if recipe.adapter is not None:
            decides["adapter"] = self._stage("adapter", recipe)
        if recipe.start.run is not None:
            decides["start"] = [recipe.start.run, *weights_of(Path(recipe.start.run))]
        decides["engine"] = [pentad.__version__, source_digest("pentad"), importlib.metadata.version("torch")]
        if recipe.budget().unit == "seconds":  # another machine, more threads of it, or less company get further
            threads = recipe.machine.threads or self.threads or available_cores()
            decides["processor"] = [platform.machine(), processor(), os.cpu_count(), threads, self.jobs]
        text = json.dumps(decides, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def _stage(self, stage: str, recipe: Recipe) -> list[Any]:
        """Return the name of a stage, its options that can change the result, and the digest of its code."""
        choice = recipe.choices()[stage]
        offer = self.catalogue.find(stage, choice.name)
        without_effect = [spec.name for spec in describe(offer.options) if not spec.affects_result]
        options = {name: value for name, value in choice.options.items() if name not in without_effect}
        return [choice.name, options, offer.fingerprint]

    def seed_folder(self, arm: Arm, seed: int) -> Path:
        """Return the folder of a run of an arm."""
        return self.arm_folder(arm) / f"seed-{seed}"

    def argument(self, recipe: Recipe, **more: Any) -> dict[str, Any]:
        """Return what every task needs: the recipe and how to resolve it, in plain values."""
        tables = written_tables(resolve(recipe, self.catalogue))
        return {"recipe": tables, "plugins": [str(path) for path in self.plugins], "cwd": os.getcwd(), **more}

    def sized(self, arm: Arm) -> Recipe:
        """Return an arm's recipe with the sizes of its plan, so that every seed has the same; without a plan as it is."""
        path = self.arm_folder(arm) / "plan" / PLAN
        sizes = (read_result(path) or {}).get("recipe")
        if not isinstance(sizes, dict):
            return arm.recipe
        tables = self.argument(arm.recipe)["recipe"]
        for name in (*TRAINED, "training"):  # the plan may be of a comparison with another sampler
            tables[name] = {**sizes.get(name, {}), **tables[name]}
        return Recipe.from_dict(tables)

    def plan_task(self, arm: Arm) -> Task:
        """Return the task that estimates the cost of an arm's run."""
        recipe = run_recipe(arm.recipe, self.seeds[0], self.threads)
        return self._task(f"{arm.label}, plan", "plan", self.argument(recipe), self.arm_folder(arm) / "plan")

    def train_task(self, arm: Arm, seed: int) -> Task:
        """Return the task that trains one run."""
        recipe = run_recipe(self.sized(arm), seed, self.threads)
        argument = self.argument(recipe, text=self.split.fingerprint)
        return self._task(f"{arm.label}, seed {seed}", "train", argument, self.seed_folder(arm, seed))

    def texts_task(self, arm: Arm, seed: int) -> Task:
        """Return the task that lets a trained model write, and measures what it wrote."""
        samplers = [
            {
                "label": sampler.label,
                "name": sampler.choice.name,
                "options": sampler.choice.options,
                "code": self.catalogue.find("sampler", sampler.choice.name).fingerprint,
            }
            for sampler in arm.samplers
        ]
        argument = self.argument(
            run_recipe(arm.recipe, seed, self.threads),
            samplers=samplers,
            prompts=self.prompts,
            text_bytes=self.text_bytes,
            seed=seed,
        )
        return self._task(f"{arm.label}, seed {seed}, texts", "write", argument, self.seed_folder(arm, seed))

    def tokenizer_task(self, arm: Arm) -> Task:
        """Return the task that measures an arm's tokenizer alone."""
        code = _code("tokenizer", arm.recipe, self.catalogue)
        decides = json.dumps([arm.recipe.to_dict()["tokenizer"], code, self.split.fingerprint])
        folder = self.folder / "tokenizers" / f"{slug(arm.label)}-{hashlib.sha256(decides.encode()).hexdigest()[:8]}"
        return self._task(arm.label, "tokenize", self.argument(arm.recipe, label=arm.label), folder)

    def _task(self, name: str, work: str, argument: Mapping[str, Any], folder: Path) -> Task:
        argument = {**argument, "place": place_of(folder)}
        return Task(name=name, work=f"pentad_compare.work:{work}", argument=argument, folder=folder.absolute())


def weights_of(run: Path) -> list[str]:
    """Return what tells the weights of a run to start from: its last step, and the digest of that checkpoint's files."""
    step = read_json(run / "latest.json").get("step")
    return [str(step), json.dumps(read_json(run / "checkpoints" / f"step-{step}" / "digest.json"), sort_keys=True)]


def run_recipe(recipe: Recipe, seed: int, threads: int | None) -> Recipe:
    """Return an arm's recipe for one run."""
    return recipe.replace(
        training=changed(recipe.training, seed=seed),
        machine=dataclasses.replace(recipe.machine, threads=recipe.machine.threads or threads),
        generation=dataclasses.replace(recipe.generation, sample_every=0.0),  # the comparison samples texts by itself
    )


def null_tests(arms: Sequence[Arm]) -> Iterator[str]:
    """Say which arms have the same recipe: their difference is chance, which shows whether the comparison can be trusted."""
    for index, arm in enumerate(arms):
        same = [other.label for other in arms[index:] if other.recipe == arm.recipe]
        if len(same) > 1 and all(earlier.recipe != arm.recipe for earlier in arms[:index]):
            yield f"{' and '.join(same)} have the same recipe: a null test, in which any difference is chance."


def slug(label: str) -> str:
    """Return a label as a folder's name."""
    return re.sub(r"[^a-z0-9.]+", "-", label.lower()).strip("-.")[:60] or "arm"


def _deciding(options: Any) -> dict[str, Any]:
    """Return the options that can change the result."""
    return {spec.name: getattr(options, spec.name) for spec in describe(type(options)) if spec.affects_result}


def _code(stage: str, recipe: Recipe, catalogue: Catalogue) -> str:
    return catalogue.find(stage, recipe.choice(stage).name).fingerprint


def processor() -> str:
    """Return the processor's name, as far as the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
