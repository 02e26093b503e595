"""Checkpoints: `checkpoints/step-N/` with model.safetensors, optimizer.safetensors, state.json and digest.json.

A checkpoint is complete or absent, holds no pickle, and is checked against its digest before anything in it is used.
"""

from __future__ import annotations

import errno
import json
import re
import reprlib
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

from pentad.contracts.model import Model
from pentad.contracts.optimizer import Optimization
from pentad.system.errors import EngineError, to_resume
from pentad.system.files import UNFINISHED, check_whole, read_json, write_whole

FORMAT = 1

_KEY = re.compile(r"[0-9]{1,9}/[0-9]{1,9}/.+")
"""Optimizer, parameter, name of the entry."""


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """Where a training stands; with the recipe it decides everything that is still to come.

    Args:
        step: steps done. The order of examples and every random draw follow from it and the seed.
        seconds: training time so far.
        tokens: tokens read so far.
        steps: steps in all, or None when the budget is a time.
        tokenizer: fingerprint of the tokenizer.
        bits_per_byte: last held-out score in bits per byte, or None.
        lr_scale: a factor on every learning rate, which an observer asked for.
        stopped: why an observer ended the training; empty when none did.
    """

    step: int
    seconds: float
    tokens: int
    steps: int | None
    tokenizer: str
    bits_per_byte: float | None = None
    lr_scale: float = 1.0
    stopped: str = ""


def checkpoint_path(run: Path, step: int) -> Path:
    """Return where the checkpoint of a step lies."""
    return run / "checkpoints" / f"step-{step}"


def save_checkpoint(run: Path, state: TrainingState, model: Model, optimization: Optimization | None, keep: int) -> Path:
    """Write a checkpoint, and then remove all but the newest `keep`.

    model.safetensors has the weights to judge and to sample from (`Optimization.evaluating`); where those are not the weights
    that training goes on with, optimizer.safetensors has these too.

    Raises:
        EngineError: the disk is full or not writable; earlier checkpoints are untouched.
    """
    place = checkpoint_path(run, state.step)
    optimizers = optimization.optimizers if optimization else ()

    def build(folder: Path) -> None:
        tensors, scalars = _flatten(optimizers)
        tensors |= _save_weights(model, optimization, folder / "model.safetensors")
        save_file(tensors, folder / "optimizer.safetensors")
        facts = {"format": FORMAT, **asdict(state), "optimizer": scalars, "groups": _groups(optimizers)}
        (folder / "state.json").write_text(json.dumps(facts, indent=1))
        for name in ("model.safetensors", "optimizer.safetensors"):  # safetensors lets only the owner read what it writes
            (folder / name).chmod((folder / "state.json").stat().st_mode)

    try:
        write_whole(place, build)  # a step has one outcome: where it is saved already, it stays
    except (OSError, SafetensorError) as error:
        raise _not_saved(run, place, error) from error
    _tidy(run, state.step, keep)
    return place


def _save_weights(model: Model, optimization: Optimization | None, path: Path) -> dict[str, Tensor]:
    """Write the weights to judge; return those that training goes on with, where they are others, as `weights/NAME`."""
    if optimization is None or type(optimization).evaluating is Optimization.evaluating:
        save_file(_unshared(model.state_dict()), path)
        return {}
    training = {name: tensor.clone() for name, tensor in _unshared(model.state_dict()).items()}
    with optimization.evaluating():
        save_file(_unshared(model.state_dict()), path)
    return {f"{_WEIGHTS}{name}": tensor for name, tensor in training.items()}


_WEIGHTS = "weights/"


def _tidy(run: Path, newest: int, keep: int) -> None:
    """Remove older checkpoints and what killed processes left. One of a later step is damaged, or the run had not gone on
    from an earlier one; it is no reason to remove a whole one.
    """
    for step in [step for step in list_checkpoints(run) if step <= newest][keep:]:
        shutil.rmtree(checkpoint_path(run, step), ignore_errors=True)
    for left in (run / "checkpoints").glob(f"*{UNFINISHED}"):
        shutil.rmtree(left, ignore_errors=True)


def _not_saved(run: Path, place: Path, error: Exception) -> EngineError:
    full = (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or "No space left" in str(error)
    cause = "the disk is full" if full else str(error)
    kept = list_checkpoints(run)
    safe = f"The checkpoint of step {kept[0]} is whole" if kept else "No earlier checkpoint exists"
    return EngineError(
        f"The checkpoint {place} could not be written: {cause}. {safe}.",
        f"Make room, then: {to_resume(run)}",
        code="checkpoint-not-saved",
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
            f"{place} must be of format {FORMAT}; found {raw.get('format')!r}.",
            "pip install --upgrade pentad-core",
            code="format-too-new",
        )
    return Checkpoint(place, _state(raw, step, place), _scalars(raw, place), _saved_groups(raw, place))


_SCALARS = (int, float, bool, str, type(None))
_FIELDS: dict[str, tuple[type, ...]] = {
    "step": (int,),
    "seconds": (int, float),
    "tokens": (int,),
    "steps": (int, type(None)),
    "tokenizer": (str,),
    "bits_per_byte": (int, float, type(None)),
    "lr_scale": (int, float),
    "stopped": (str,),
}


def _state(raw: Mapping[str, Any], step: int, place: Path) -> TrainingState:
    for name, kinds in _FIELDS.items():
        value = raw.get(name, ...)
        if type(value) not in kinds or (isinstance(value, (int, float)) and not 0 <= value < 2**63):
            raise _damaged(place, f"{name} is {reprlib.repr(value)}")
    if raw["step"] != step:
        raise _damaged(place, f"it is of step {raw['step']}")
    return TrainingState(**{name: raw[name] for name in _FIELDS})


def _scalars(raw: Mapping[str, Any], place: Path) -> dict[str, Any]:
    found = raw.get("optimizer")
    if not isinstance(found, dict) or not all(_KEY.fullmatch(key) and type(found[key]) in _SCALARS for key in found):
        raise _damaged(place, "optimizer holds something else than numbers and words")
    return found


def _saved_groups(raw: Mapping[str, Any], place: Path) -> list[list[dict[str, Any]]]:
    found = raw.get("groups")
    if not isinstance(found, list) or not all(_are_groups(groups) for groups in found):
        raise _damaged(place, "groups holds something else than numbers and words")
    return found


def _are_groups(groups: object) -> bool:
    return isinstance(groups, list) and all(
        isinstance(group, dict) and "params" not in group and all(_is_plain(value) for value in group.values())
        for group in groups
    )


def _is_plain(value: object) -> bool:
    """Say whether a value is a number, a word, nothing, or a flat list of them."""
    return type(value) in _SCALARS or (isinstance(value, (list, tuple)) and all(type(part) in _SCALARS for part in value))


def _damaged(place: Path, found: str) -> EngineError:
    return EngineError(f"{place / 'state.json'} is damaged: {found}.", "Use an earlier checkpoint.", code="checkpoint-damaged")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose digest was checked."""

    path: Path
    state: TrainingState
    scalars: Mapping[str, Any]
    groups: Sequence[Sequence[Mapping[str, Any]]]

    def restore_model(self, model: Model) -> None:
        """Put the saved parameters and buffers into a model.

        Raises:
            EngineError: the file does not fit the model that the recipe describes.
        """
        tensors = model.upgrade_state(_read_tensors(self.path / "model.safetensors"))
        odd = differing(model, tensors)
        if odd:
            raise EngineError(
                f"{self.path} does not fit the model of its recipe: {odd[0]} differs (of {len(odd)}).",
                "The recipe or the plugin's version has changed since the run was made; engine.json names the versions.",
                code="checkpoint-mismatch",
            )
        put_tensors(model, tensors)

    def restore_training_weights(self, model: Model) -> None:
        """Put the weights that training goes on with into a model, where they are others than those to judge."""
        tensors = _read_tensors(self.path / "optimizer.safetensors")
        weights = {name.removeprefix(_WEIGHTS): value for name, value in tensors.items() if name.startswith(_WEIGHTS)}
        if weights:
            model.load_state_dict(weights, strict=False)

    def restore_optimizers(self, optimizers: Sequence[Optimizer]) -> None:
        """Put the saved moments into optimizers that were made by the same recipe.

        Raises:
            EngineError: the file does not fit the optimizers.
        """
        tensors = _read_tensors(self.path / "optimizer.safetensors")
        states: list[dict[int, dict[str, Any]]] = [{} for _ in optimizers]
        try:
            for key, value in (*tensors.items(), *self.scalars.items()):
                if key.startswith(_WEIGHTS):
                    continue
                owner, index, name = key.split("/", 2)
                states[int(owner)].setdefault(int(index), {})[name] = value
            for optimizer, state, saved in zip(optimizers, states, self.groups, strict=True):
                groups = optimizer.state_dict()["param_groups"]
                known = {index for group in groups for index in group["params"]}
                if not state.keys() <= known:
                    raise ValueError(f"it holds the state of {len(state)} parameters, expected {len(known)}")
                for group, entries in zip(groups, saved, strict=True):
                    group.update({key: tuple(value) if isinstance(value, list) else value for key, value in entries.items()})
                optimizer.load_state_dict({"state": state, "param_groups": groups})
        except (ValueError, KeyError, IndexError) as error:
            raise EngineError(
                f"{self.path} does not fit its optimizer: {error}", "Use an earlier checkpoint.", code="checkpoint-mismatch"
            ) from None


def differing(model: Model, tensors: Mapping[str, Tensor]) -> list[str]:
    """Name what a model and saved tensors have not in common, by name, shape and number format; a buffer may have grown."""
    wanted = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in _unshared(model.state_dict()).items()}
    found = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
    grown = {name for name, _ in model.named_buffers()}  # what is counted may have grown
    return sorted(
        name
        for name in wanted.keys() | found.keys()
        if wanted.get(name) != found.get(name) and not (name in grown and name in found and wanted[name][1] == found[name][1])
    )


def put_tensors(model: Model, tensors: Mapping[str, Tensor]) -> None:
    """Put tensors that fit into a model's parameters and buffers."""
    _resize_buffers(model, tensors)
    model.load_state_dict(tensors, strict=False)


def save_weights(model: Model, folder: Path) -> None:
    """Write a model's parameters and buffers as `folder`, which is whole or absent.

    Raises:
        OSError, SafetensorError: the disk is full or not writable.
    """
    write_whole(folder, lambda place: save_file(_unshared(model.state_dict()), place / "model.safetensors"))


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Return what `save_weights` wrote, checked against its digest.

    Raises:
        EngineError: it is damaged.
    """
    check_whole(folder)
    return _read_tensors(folder / "model.safetensors")


def _resize_buffers(model: Model, tensors: Mapping[str, Tensor]) -> None:
    """Give the buffers of a model the shapes that were saved."""
    for name, buffer in list(model.named_buffers()):
        saved = tensors.get(name)
        if saved is not None and saved.shape != buffer.shape:
            owner, _, leaf = name.rpartition(".")
            model.get_submodule(owner)._buffers[leaf] = saved.to(buffer.device, copy=True)


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise EngineError(f"{path} is damaged: {error}", "Use an earlier checkpoint.", code="checkpoint-damaged") from None


def _unshared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out tensors that are another one under a second name (tied weights), and make the rest plain copies."""
    seen: set[tuple[int, tuple[int, ...], tuple[int, ...]]] = set()
    kept = {}
    for name, tensor in tensors.items():
        identity = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride())
        if tensor.numel() and identity in seen:
            continue
        seen.add(identity)
        kept[name] = _plain(tensor)
    return kept


def _plain(tensor: Tensor) -> Tensor:
    """Return the tensor on the CPU in a storage of its own, as safetensors wants it; itself where it is so already."""
    there = tensor.detach().to("cpu").contiguous()
    alone = there.untyped_storage().nbytes() == there.numel() * there.element_size()
    return there if alone else there.clone()


def _flatten(optimizers: Sequence[Optimizer]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Turn optimizers' states into tensors and JSON values under the keys `optimizer/parameter/name`."""
    tensors: dict[str, Tensor] = {}
    scalars: dict[str, Any] = {}
    for number, optimizer in enumerate(optimizers):
        for index, entries in optimizer.state_dict()["state"].items():
            for name, value in entries.items():
                key = f"{number}/{index}/{name}"
                if isinstance(value, torch.Tensor):
                    tensors[key] = _plain(value)
                else:
                    scalars[key] = value
    return tensors, scalars


def _groups(optimizers: Sequence[Optimizer]) -> list[list[dict[str, Any]]]:
    """Return what each group holds beside its parameters: some optimizers (schedule-free ones) count in there."""
    return [
        [
            {key: value for key, value in group.items() if key != "params" and _is_plain(value)}
            for group in optimizer.param_groups
        ]
        for optimizer in optimizers
    ]
