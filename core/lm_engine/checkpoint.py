"""Checkpoints: `checkpoints/step-N/` with model.safetensors, optimizer.safetensors, state.json and digest.json.

A checkpoint is complete or absent, holds no pickle, and is checked against its digest before anything in it is used.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from lm_engine.durable import check_whole, read_json, write_whole
from lm_engine.errors import EngineError
from lm_engine.model import Model

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """Where a training stands; with the recipe it decides everything that is still to come.

    Args:
        step: steps done. The order of examples and every random draw follow from it and the seed.
        seconds: training time so far.
        tokens: tokens read so far.
        steps: steps in all, or None when the budget is a time.
        tokenizer: fingerprint of the tokenizer.
        bits_per_byte: last held-out score, or None.
    """

    step: int
    seconds: float
    tokens: int
    steps: int | None
    tokenizer: str
    bits_per_byte: float | None = None


def checkpoint_path(run: Path, step: int) -> Path:
    """Return where the checkpoint of a step lies."""
    return run / "checkpoints" / f"step-{step}"


def save_checkpoint(run: Path, state: TrainingState, model: Model, optimizers: Sequence[Optimizer], keep: int) -> Path:
    """Write a checkpoint, and then remove all but the newest `keep`.

    Raises:
        EngineError: the disk is full or not writable; earlier checkpoints are untouched.
    """
    place = checkpoint_path(run, state.step)
    if place.exists() and _is_whole(place):
        return place  # a step has one outcome; replacing it would leave a moment without

    def build(folder: Path) -> None:
        save_file(_unshared(model.state_dict()), folder / "model.safetensors")
        tensors, scalars = _flatten(optimizers)
        save_file(tensors, folder / "optimizer.safetensors")
        (folder / "state.json").write_text(json.dumps({"format": FORMAT, **asdict(state), "optimizer": scalars}, indent=1))

    try:
        write_whole(place, build)
    except (OSError, SafetensorError) as error:
        raise _not_saved(run, place, error) from error
    for step in list_checkpoints(run)[keep:]:
        shutil.rmtree(checkpoint_path(run, step), ignore_errors=True)
    return place


def _is_whole(place: Path) -> bool:
    try:
        check_whole(place)
    except EngineError:
        return False
    return True


def _not_saved(run: Path, place: Path, error: Exception) -> EngineError:
    full = (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or "No space left" in str(error)
    cause = "the disk is full" if full else str(error)
    kept = list_checkpoints(run)
    safe = f"The checkpoint of step {kept[0]} is whole" if kept else "No earlier checkpoint exists"
    return EngineError(
        f"The checkpoint {place} could not be written: {cause}. {safe}.", f"Make room, then: engine resume {run}"
    )


def list_checkpoints(run: Path) -> list[int]:
    """Return the steps of the checkpoints of a run, the newest first."""
    names = [path.name for path in (run / "checkpoints").glob("step-*")] if (run / "checkpoints").is_dir() else []
    return sorted((int(name[5:]) for name in names if re.fullmatch(r"step-[0-9]{1,18}", name)), reverse=True)


def load_checkpoint(run: Path, step: int) -> Checkpoint:
    """Check a checkpoint against its digest and read its state.

    Raises:
        EngineError: it is damaged, or of a newer format.
    """
    place = checkpoint_path(run, step)
    check_whole(place)
    raw = read_json(place / "state.json")
    if raw.get("format") != FORMAT:
        raise EngineError(
            f"{place} must be of format {FORMAT}; found {raw.get('format')!r}.", "pip install --upgrade lm-engine-core"
        )
    try:
        fields = {name: raw[name] for name in TrainingState.__dataclass_fields__}
        return Checkpoint(place, TrainingState(**fields), raw["optimizer"])
    except (KeyError, TypeError) as error:
        raise EngineError(f"{place / 'state.json'} is damaged: {error} is missing.", "Use an earlier checkpoint.") from None


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose digest was checked."""

    path: Path
    state: TrainingState
    scalars: Mapping[str, Any]

    def restore_model(self, model: Model) -> None:
        """Put the saved parameters and buffers into a model.

        Raises:
            EngineError: the file does not fit the model that the recipe describes.
        """
        tensors = _read_tensors(self.path / "model.safetensors")
        own = model.state_dict()
        wanted = {name: tuple(tensor.shape) for name, tensor in _unshared(own).items()}
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        if wanted != found:
            odd = sorted(set(wanted.items()) ^ set(found.items()))
            raise EngineError(
                f"{self.path} does not fit the model of its recipe: {odd[0][0]} differs (of {len(odd)}).",
                "The recipe or the plugin's version has changed since the run was made; engine.json names the versions.",
            )
        model.load_state_dict(tensors, strict=False)

    def restore_optimizers(self, optimizers: Sequence[Optimizer]) -> None:
        """Put the saved moments into optimizers that were made by the same recipe.

        Raises:
            EngineError: the file does not fit the optimizers.
        """
        tensors = _read_tensors(self.path / "optimizer.safetensors")
        for number, optimizer in enumerate(optimizers):
            state: dict[int, dict[str, Any]] = {}
            for key, value in (*tensors.items(), *self.scalars.items()):
                owner, index, name = key.split("/", 2)
                if owner == str(number):
                    state.setdefault(int(index), {})[name] = value
            try:
                optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
            except (ValueError, KeyError) as error:
                raise EngineError(f"{self.path} does not fit its optimizer: {error}", "Use an earlier checkpoint.") from None


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise EngineError(f"{path} is damaged: {error}", "Use an earlier checkpoint.") from None


def _unshared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out tensors that are another one under a second name (tied weights), and make the rest plain copies."""
    seen: set[tuple[int, tuple[int, ...], tuple[int, ...]]] = set()
    kept = {}
    for name, tensor in tensors.items():
        identity = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride())
        if tensor.numel() and identity in seen:
            continue
        seen.add(identity)
        kept[name] = tensor.detach().to("cpu").contiguous()
    return kept


def _flatten(optimizers: Sequence[Optimizer]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Turn optimizers' states into tensors and JSON values under the keys `optimizer/parameter/name`.

    Learning rates and the like are not saved: they follow from the recipe and the step.
    """
    tensors: dict[str, Tensor] = {}
    scalars: dict[str, Any] = {}
    for number, optimizer in enumerate(optimizers):
        for index, entries in optimizer.state_dict()["state"].items():
            for name, value in entries.items():
                key = f"{number}/{index}/{name}"
                if isinstance(value, torch.Tensor):
                    tensors[key] = value.detach().to("cpu").contiguous().clone()
                else:
                    scalars[key] = value
    return tensors, scalars
