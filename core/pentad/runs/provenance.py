"""Who made a run, with what: engine.json, recipe.toml and tokenizer/, read and checked before anything in them is used."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import platform
import re
import reprlib
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pentad.config.options import parse
from pentad.config.recipe import Choice, Recipe, read_tables
from pentad.contracts.tokenizer import Tokenizer
from pentad.data.corpus import named_from_anywhere
from pentad.registry.catalogue import Catalogue
from pentad.registry.chains import BETWEEN, SIGN
from pentad.registry.maker import Maker
from pentad.registry.offers import Offer, chain_offer
from pentad.registry.plugin_file import UNPACKAGED
from pentad.registry.resolving import Resolved, resolve
from pentad.system import VERSION
from pentad.system.cache import folder_fingerprint
from pentad.system.errors import EngineError, UsageError
from pentad.system.files import read_json

FORMAT = 1
"""Version of the layout of a run's folder."""

_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
"""Names of distributions, by PEP 508."""

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")

Fact = TypeVar("Fact", str, int, float, bool)


class Provenance:
    """What a run says of itself; nothing here writes.

    Args:
        path: the run's folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

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
            found = error.message.replace("--", "")  # nobody gave a flag here
            raise EngineError(
                f"{path} is damaged: {found}", "Correct it, or use a copy of the run.", code="run-damaged"
            ) from None

    def resolve(self, catalogue: Catalogue) -> Resolved:
        """Resolve the recipe by what made the run, also where another distribution offers the same name by now.

        Raises:
            EngineError: a distribution is missing, or its version reads the recipe no more; says which distribution and
                version made the run, and what to install.
        """
        recipe = self.recipe()
        makers = {stage: self.maker(stage, catalogue) for stage in recipe.choices()}
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
        if stage == "sampler" and SIGN in name:
            parts = list(zip(name.split(SIGN), distribution.split(BETWEEN), version.split(BETWEEN), strict=False))
            return chain_offer([self._part(stage, catalogue, *part) for part in parts])
        return self._part(stage, catalogue, name, distribution, version)

    def _part(self, stage: str, catalogue: Catalogue, name: str, distribution: str, version: str) -> Offer[Any]:
        self._require_installable(distribution, version)
        for offer in catalogue.offers(stage):
            # A file is known by its name alone: the run may have been moved, and so may the file.
            same = Path(offer.distribution).name == Path(distribution).name if version == offer.version == UNPACKAGED else False
            if offer.name == name and (offer.distribution == distribution or same):
                return offer
        broken = [problem.cause for problem in catalogue.problems if problem.distribution == distribution]
        state = f"it is installed but broken: {broken[0]}" if broken else "it is not installed"
        install = (
            f"Use --plugin {shlex.quote(distribution)}" if version == UNPACKAGED else f"pip install {distribution}=={version}"
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
        tokenizer: Tokenizer = offer.make(options)
        try:
            same = folder_fingerprint(folder) == self.fact(str, "tokenizer_files")
            if same:
                tokenizer.load(folder)
        except OSError as error:
            raise EngineError(
                f"{folder} cannot be read: {error.strerror}.", "Check its rights and its disk.", code="saved-file-unreadable"
            ) from error
        if not same:
            raise EngineError(f"{folder} is not what the run was trained with.", "Use a copy of the run.", code="run-changed")
        return tokenizer


def named_absolutely(recipe: Recipe) -> Recipe:
    """Return the recipe with its text named absolutely, so that the run can be resumed and scored in any folder."""
    data = recipe.data
    sources, held_out = named_from_anywhere(data.sources), named_from_anywhere(data.held_out_sources)
    return recipe.replace(data=dataclasses.replace(data, sources=sources, held_out_sources=held_out))


def engine_facts(resolved: Resolved, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what engine.json holds of a new run: versions, the makers of its stages, and further facts."""
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
