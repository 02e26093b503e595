"""The run that another starts from: its tokenizer, its model, and its weights token by token.

What shapes the weights comes from there; everything else (dropout, the optimizer, the schedule, the text) is the new recipe's.
The weights that the training begins with are kept in the new run's folder, so that it depends on the other one no more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pentad.config.options import describe
from pentad.config.recipe import Choice, Recipe
from pentad.config.tables import StartOptions
from pentad.contracts.model import Model
from pentad.contracts.observer import StartedFrom
from pentad.contracts.vocabulary import Vocabulary
from pentad.data.preparation import StartTokenizer
from pentad.registry.catalogue import Catalogue
from pentad.runs.checkpoint import differing, put_tensors
from pentad.runs.folder import RunDirectory
from pentad.runs.saved_run import SavedRun, open_run
from pentad.system.errors import UsageError

HEADS_AHEAD = "heads_ahead."
"""How the names of the heads for further tokens begin (`Model.predict_ahead`)."""

NOISE = 0.02
"""Standard deviation of what is added to a new token's row, as a share of that of the rows of the text."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """An opened run to start from.

    Args:
        run: the model with all that belongs to it.
        facts: what its engine.json says of the run that it itself started from; empty where there was none.
    """

    run: SavedRun
    facts: Mapping[str, Any]

    @property
    def tokenizer(self) -> StartTokenizer:
        """Its tokenizer, which the new run uses as it is."""
        directory = RunDirectory(self.run.path)
        fingerprint = directory.fact(str, "tokenizer")
        return StartTokenizer(tokenizer=self.run.tokenizer, folder=self.run.path / "tokenizer", fingerprint=fingerprint)

    def put_into(self, model: Model, vocabulary: Vocabulary, seed: int) -> None:
        """Put the weights into the new run's model. A special token that both know keeps its row; the row of a new one is the
        mean of the text's rows with a little noise, so that it is neither far off nor the same as another (Hewitt, 2021).

        Raises:
            UsageError: the weights do not fit the model.
        """
        tensors = dict(self.run.model.state_dict())
        own = model.state_dict()
        generator = torch.Generator().manual_seed(seed)
        for name in sorted(model.token_parameters() & tensors.keys()):
            tensors[name] = _rows(tensors[name], own[name], self.run.vocabulary, vocabulary, generator)
        tensors = _with_own_heads(tensors, own)
        odd = differing(model, tensors)
        if odd:
            raise UsageError(
                f"The weights of {self.run.path} must fit the model; {odd[0]} differs (of {len(odd)}).",
                "Leave out options that change the model's shape, and keep --context-length where positions are learned.",
                code="start-mismatch",
            )
        put_tensors(model, tensors)

    def described(self, recipe: Recipe, vocabulary: Vocabulary) -> StartedFrom:
        """Say what the new run takes, and in what it differs."""
        known = {token.name for token in self.run.vocabulary.special}
        new = tuple(token.name for token in vocabulary.special if token.name not in known)
        there, here = _told(self.run.recipe), _told(recipe)
        changed = {name: (there.get(name), here.get(name)) for name in {**there, **here} if there.get(name) != here.get(name)}
        return StartedFrom(folder=self.run.path, step=self.run.step, new_tokens=new, changed=changed)

    def recorded(self) -> dict[str, Any]:
        """Return what engine.json says of it, the runs before it included."""
        facts: dict[str, Any] = {"run": str(self.run.path), "step": self.run.step}
        return {**facts, "start": dict(self.facts)} if self.facts else facts


def _with_own_heads(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with heads for further tokens where the new model has them: those of the run, or new ones."""
    kept = {name: tensor for name, tensor in tensors.items() if name in own or not name.startswith(HEADS_AHEAD)}
    return {**{name: tensor for name, tensor in own.items() if name.startswith(HEADS_AHEAD)}, **kept}


def inherit(recipe: Recipe, catalogue: Catalogue) -> tuple[Recipe, Start | None]:
    """Open the run that a recipe starts from, and fill in what comes from there.

    Returns:
        The recipe with that run's tokenizer and the shape of its model, and the run; None where it starts from no other.

    Raises:
        UsageError: there is no run, or the recipe asks for another tokenizer or model.
        EngineError: the run is damaged, has no checkpoint yet, needs a plugin that is missing, or has an adapter that cannot be
            merged.
    """
    if recipe.start.run is None:
        return recipe, None
    base = open_run(Path(recipe.start.run).absolute(), catalogue=catalogue, device="cpu")
    if base.adapter is not None:
        base.adapter.merge(base.model)
        base.model.requires_grad_(True)
    tokenizer = _same("tokenizer", recipe, base, catalogue)
    for name, value in recipe.tokenizer.options.items():
        spec = next((spec for spec in describe(base.resolved.offers["tokenizer"].options) if spec.name == name), None)
        if spec and spec.convert(value, f"--tokenizer.{spec.flag}") != tokenizer.options[name]:
            raise UsageError(
                f"The tokenizer of {base.path} is used as it is, with {name} = {tokenizer.options[name]}; found {value}.",
                f"Leave --tokenizer.{spec.flag} out.",
                code="start-mismatch",
            )
    model = _same("model", recipe, base, catalogue)
    kept = {spec.name: model.options[spec.name] for spec in describe(base.resolved.offers["model"].options) if spec.inherited}
    started = recipe.replace(
        tokenizer=tokenizer,
        model=Choice(model.name, **{**kept, **recipe.model.options}),
        start=StartOptions(run=str(base.path)),
    )
    facts = RunDirectory(base.path).facts().get("start")
    return started, Start(run=base, facts=facts if isinstance(facts, dict) else {})


def start_tables(folder: str, catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """Return the tables of a recipe that come from a run to start from, for a command line that shows and overrides them.

    Raises:
        UsageError, EngineError: as for `RunDirectory.resolve`.
    """
    directory = RunDirectory.open(Path(folder))
    resolved = directory.resolve(catalogue)
    tables = {stage: {"name": resolved.recipe.choice(stage).name} for stage in ("tokenizer", "model")}
    for stage, table in tables.items():
        options = resolved.recipe.choice(stage).options
        table.update({spec.name: options[spec.name] for spec in describe(resolved.offers[stage].options) if spec.inherited})
    return {**tables, "training": {"context_length": resolved.recipe.training.context_length}}


def _same(stage: str, recipe: Recipe, base: SavedRun, catalogue: Catalogue) -> Choice:
    """Return the run's own choice, which must be the one that the recipe names."""
    choice, offer = recipe.choice(stage), base.resolved.offers[stage]
    if catalogue.find(stage, choice.name).full_name != offer.full_name:
        raise UsageError(
            f"The {stage} of {base.path} is {offer.name}, and comes along; found --{stage} {choice.name}.",
            f"Leave --{stage} out, or use --{stage} {offer.name}.",
            code="start-mismatch",
        )
    return base.recipe.choice(stage)


def _rows(there: Tensor, here: Tensor, before: Vocabulary, after: Vocabulary, generator: torch.Generator) -> Tensor:
    """Return a parameter with one row per id, (V, …), as the new vocabulary has them; rows beyond it stay as they are."""
    if there.shape[1:] != here.shape[1:] or len(there) < before.size or len(here) < after.size:
        return there
    rows = here.detach().to("cpu", copy=True)
    text = there[: before.tokenizer_size].detach().cpu()
    rows[: before.tokenizer_size] = text
    known = {token.name: before.id(token.name) for token in before.special}
    for token in after.special:
        if token.name in known:
            rows[after.id(token.name)] = there[known[token.name]]
        else:
            noise = torch.randn(text.shape[1:], generator=generator) * text.float().std() * NOISE
            rows[after.id(token.name)] = text.float().mean(0) + noise
    return rows.to(here.device)


def _told(recipe: Recipe) -> dict[str, object]:
    """Return what is worth telling where it differs: the stages that were chosen, the model's options and its context."""
    stages: dict[str, object] = {
        stage: choice.name for stage, choice in recipe.choices().items() if stage not in ("tokenizer", "model", "sampler")
    }
    model = {f"model.{name}": value for name, value in recipe.model.options.items()}
    return {**stages, **model, "context_length": recipe.training.context_length}
