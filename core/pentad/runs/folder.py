"""A run's folder: recipe.toml, engine.json, tokenizer/, checkpoints/, metrics.jsonl, samples.jsonl."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import json
import math
import platform
import re
import reprlib
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pentad.config.options import parse
from pentad.config.recipe import Choice, Recipe, read_tables
from pentad.config.stages import STAGES
from pentad.contracts.tokenizer import Tokenizer
from pentad.data.corpus import named_from_anywhere
from pentad.registry.catalogue import Catalogue, Offer
from pentad.registry.maker import Maker
from pentad.registry.plugin_file import UNPACKAGED
from pentad.registry.resolving import Resolved, resolve
from pentad.system.cache import folder_fingerprint
from pentad.system.errors import EngineError, UsageError, to_resume
from pentad.system.files import locked, read_json, sync_folder, sync_tree, write_atomically
from pentad.system.version import VERSION

FORMAT = 1

_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
"""Names of distributions, by PEP 508."""

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")

Fact = TypeVar("Fact", str, int, float, bool)


def new_run_path(model: str) -> Path:
    """Return an unused folder name below runs/: date, time and model."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    name = model.split(":")[-1]
    for suffix in ["", *(f"-{number}" for number in range(2, 1000))]:
        path = Path("runs", f"{stamp}-{name}{suffix}")
        if not path.exists():
            return path
    raise EngineError("runs/ must have a free name for this second; found none.", "Say --out DIR.", code="no-free-name")


class RunDirectory:
    """A run's folder and what is in it.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, resolved: Resolved, tokenizer_folder: Path, facts: Mapping[str, Any]) -> RunDirectory:
        """Make a new run's folder.

        Raises:
            UsageError: the folder exists and is not empty.
            EngineError: the disk is full or not writable.
        """
        refuse_used(path)
        run = cls(path)
        with run.writing():
            path.mkdir(parents=True, exist_ok=True)
            shutil.copytree(tokenizer_folder, path / "tokenizer")
            sync_tree(path / "tokenizer")
            (path / "metrics.jsonl").touch()
            (path / "samples.jsonl").touch()
            run.write_recipe(_from_anywhere(resolved.recipe))
            # Written last: a folder without engine.json is no run.
            write_atomically(path / "engine.json", json.dumps(_engine_facts(resolved, facts), indent=1) + "\n")
            sync_folder(path.parent)
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Open a run that exists.

        Raises:
            UsageError: there is no run in that folder.
            EngineError: it was made by a newer version, or it is damaged.
        """
        if not (path / "engine.json").is_file():
            found = "no such folder" if not path.exists() else "a folder without engine.json"
            raise UsageError(
                f"{path} must be the folder of a run; found {found}.", "engine run makes one below runs/.", code="not-a-run"
            )
        run = cls(path)
        form = run.fact(int, "format")
        if form > FORMAT:
            raise EngineError(
                f"{path} must be of run format {FORMAT} or older; found {form}.",
                "pip install --upgrade pentad-core",
                code="format-too-new",
            )
        return run

    def facts(self) -> dict[str, Any]:
        """Return what engine.json says."""
        return read_json(self.path / "engine.json")

    def fact(self, kind: type[Fact], *keys: str) -> Fact:
        """Return one entry of engine.json: `fact(str, "data", "fingerprint")`.

        Raises:
            EngineError: it is missing or of another type.
        """
        found: Any = self.facts()
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if kind is float and type(found) is int:
            found = float(found)
        if type(found) is not kind or (isinstance(found, float) and not math.isfinite(found)):
            expected = f"expected {'.'.join(keys)} as {kind.__name__}, found {reprlib.repr(found)}"
            raise EngineError(
                f"{self.path / 'engine.json'} is damaged: {expected}.", "Use a copy of the run.", code="run-damaged"
            )
        return found

    def recipe(self) -> Recipe:
        """Return the resolved recipe.

        Raises:
            EngineError: it is missing or damaged.
        """
        path = self.path / "recipe.toml"
        if not path.is_file():
            raise EngineError(f"{self.path} is damaged: it has no recipe.toml.", "Use a copy of the run.", code="run-damaged")
        try:
            return Recipe.from_dict(read_tables(path, "The recipe"), str(path))
        except UsageError as error:
            raise EngineError(
                f"{path} is damaged: {error.message}", "Mend it, or use a copy of the run.", code="run-damaged"
            ) from None

    def write_recipe(self, recipe: Recipe) -> None:
        """Replace the recipe."""
        write_atomically(self.path / "recipe.toml", recipe.to_toml())

    def resolve(self, catalogue: Catalogue) -> Resolved:
        """Resolve the recipe by what made the run, also where another distribution offers the same name by now.

        Raises:
            EngineError: a distribution is missing, or its version reads the recipe no more; says which distribution and
                version made the run, and what to install.
        """
        recipe = self.recipe()
        makers = {stage: self.maker(stage, catalogue) for stage in STAGES}
        choices: dict[str, Any] = {}
        for stage, maker in makers.items():
            shared = len([other for other in catalogue.offers(stage) if other.name == maker.offer.name]) > 1
            name = maker.offer.full_name if shared else recipe.choice(stage).name
            choices[stage] = Choice(name, **maker.upgraded(recipe.choice(stage).options))
        with self._fitting(makers.values()):
            return resolve(recipe.replace(**choices), catalogue)

    @contextlib.contextmanager
    def _fitting(self, makers: Iterable[Maker]) -> Iterator[None]:
        """Turn options that are no longer read into an error that says what to install; then warn of other versions."""
        try:
            yield
        except UsageError as error:
            changed = [maker.install for maker in makers if maker.changed]
            hint = f"pip install {' '.join(changed)}" if changed else error.hint
            raise EngineError(
                f"{self.path} does not fit what is installed: {error.message}", hint, code="recipe-mismatch"
            ) from None
        for maker in makers:
            maker.warn()

    def maker(self, stage: str, catalogue: Catalogue) -> Maker:
        """Return what made a stage of the run.

        Raises:
            EngineError: it is not installed or broken.
        """
        offer = self._offer(stage, catalogue)
        return Maker(version=self.fact(str, "stages", stage, "version"), offer=offer)

    def _offer(self, stage: str, catalogue: Catalogue) -> Offer[Any]:
        distribution, version, name = (self.fact(str, "stages", stage, key) for key in ("distribution", "version", "name"))
        self._require_installable(distribution, version)
        for offer in catalogue.offers(stage):
            # A file is known by its name alone: the run may have been moved, and so may the file.
            same = Path(offer.distribution).name == Path(distribution).name if version == offer.version == UNPACKAGED else False
            if offer.name == name and (offer.distribution == distribution or same):
                return offer
        broken = [problem.cause for problem in catalogue.problems if problem.distribution == distribution]
        state = f"it is installed but broken: {broken[0]}" if broken else "it is not installed"
        install = (
            f"Say --plugin {shlex.quote(distribution)}" if version == UNPACKAGED else f"pip install {distribution}=={version}"
        )
        raise EngineError(
            f"The {stage} {name} of {self.path} was made by {distribution} {version}; {state}.", install, code="maker-missing"
        )

    def _require_installable(self, distribution: str, version: str) -> None:
        """Make sure that what a run's maker is called may stand behind `pip install`: the run may be a stranger's.

        Raises:
            EngineError: it is no name and version of a distribution.
        """
        if version != UNPACKAGED and not (_DISTRIBUTION.fullmatch(distribution) and _VERSION.fullmatch(version)):
            found = f"expected a distribution and its version, found {distribution!r} and {version!r}"
            raise EngineError(f"{self.path / 'engine.json'} is damaged: {found}.", "Use a copy of the run.", code="run-damaged")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn a failure to write into an error that says so."""
        try:
            yield
        except OSError as error:
            raise self._not_written(error) from error

    def _not_written(self, error: OSError) -> EngineError:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        cause = "the disk is full" if full else f"{error.strerror or error}"
        hint = f"Make room, then: {to_resume(self.path)}" if full else "Check the folder's rights, or say --out DIR."
        return EngineError(f"{self.path} must be writable; found: {cause}.", hint, code="not-writable")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep a second process from training in the same folder; let go when the process ends, however it ends.

        Raises:
            EngineError: another process trains here.
        """
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(self.path / ".lock", wait=False))
            except BlockingIOError:
                raise EngineError(
                    f"{self.path} is in use by another process that trains in it.",
                    "Wait for it, or stop it.",
                    code="folder-in-use",
                ) from None
            except OSError as error:
                raise self._not_written(error) from error
            yield

    def append(self, name: str, *records: Mapping[str, Any]) -> None:
        """Add lines to metrics.jsonl or samples.jsonl, in one write."""
        with self.writing(), (self.path / name).open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(record) + "\n" for record in records))

    def is_scored(self, step: int) -> bool:
        """Say whether the run is complete at this step: its end is the last line that it writes."""
        return any(line.get("kind") == "end" and line.get("step") == step for line in self.lines("metrics.jsonl"))

    def cut_back(self, step: int, *, keep_final: bool) -> None:
        """Drop the lines of steps after `step`, and a half line at the end: the run goes on from there.

        Args:
            step: the last one that stays.
            keep_final: whether the run ended at this step; a final score that it could not finish is dropped too.
        """

        def stays(line: dict[str, Any]) -> bool:
            at = line.get("step")
            return isinstance(at, int) and at <= step and (keep_final or at < step or line.get("final") is not True)

        for name in ("metrics.jsonl", "samples.jsonl"):
            lines = [line for line in self.lines(name) if stays(line)]
            with self.writing():
                write_atomically(self.path / name, "".join(json.dumps(line) + "\n" for line in lines))

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the whole lines of metrics.jsonl or samples.jsonl."""
        return read_lines(self.path / name)

    def tokenizer(self, catalogue: Catalogue) -> Tokenizer:
        """Return the run's tokenizer; its other stages need not be installed.

        Raises:
            EngineError: as for `resolve` and `load_tokenizer`.
        """
        maker = self.maker("tokenizer", catalogue)
        given = maker.upgraded(self.recipe().choice("tokenizer").options)
        with self._fitting([maker]):
            options = parse(maker.offer.options, given, "tokenizer")
        return self.load_tokenizer(maker.offer, options)

    def load_tokenizer(self, offer: Offer[Any], options: Any) -> Tokenizer:
        """Return the run's tokenizer, as an implementation and its options make it.

        Raises:
            EngineError: its files are not those that the run was trained with.
        """
        folder = self.path / "tokenizer"
        if folder_fingerprint(folder) != self.fact(str, "tokenizer_files"):
            raise EngineError(f"{folder} is not what the run was trained with.", "Use a copy of the run.", code="run-changed")
        tokenizer: Tokenizer = offer.make(options)
        tokenizer.load(folder)
        return tokenizer


def refuse_used(path: Path) -> None:
    """Make sure that a new run may lie there.

    Raises:
        UsageError: there is something.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        is_run = (path / "engine.json").is_file()
        raise UsageError(
            f"--out expects a new or empty folder; found something at {path}.",
            f"Choose another folder{f', or go on with it: {to_resume(path)}' if is_run else ''}.",
            code="folder-taken",
        )


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a JSON-lines file; a half line at the end, left by a crash, is passed over."""
    lines = []
    with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    lines.append(found)
    return lines


def _from_anywhere(recipe: Recipe) -> Recipe:
    """Return the recipe with its text named absolutely, so that the run can be resumed and scored in any folder."""
    data = recipe.data
    sources, held_out = named_from_anywhere(data.sources), named_from_anywhere(data.held_out_sources)
    return recipe.replace(data=dataclasses.replace(data, sources=sources, held_out_sources=held_out))


def _engine_facts(resolved: Resolved, facts: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    return {
        "format": FORMAT,
        "engine": VERSION,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "stages": {
            stage: {"distribution": offer.distribution, "version": offer.version, "name": offer.name}
            for stage, offer in resolved.offers.items()
        },
        **facts,
    }
