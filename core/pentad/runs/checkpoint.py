"""Checkpoints: `checkpoints/step-N/` with model.safetensors, optimizer.safetensors, state.json and digest.json.

A checkpoint is complete or absent, holds no pickle, and is checked against its digest before anything in it is used.
"""

from __future__ import annotations

import contextlib
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.optim import Optimizer

from pentad.contracts.model import Model
from pentad.runs.fitting import Shapes, merged, require_fitting
from pentad.system.errors import EngineError, is_out_of_memory
from pentad.system.files import HeldFiles, hold_whole

FORMAT = 1

MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"

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


WEIGHTS = "weights/"
"""Before the names of the weights that training resumes with, in optimizer.safetensors."""


def load_checkpoint(run: Path, step: int, *, to_train: bool = True) -> Checkpoint:
    """Check a checkpoint against its digest, read its state, and hold its files open until the checkpoint is forgotten.

    Args:
        run: the run's folder.
        step: after which it was saved.
        to_train: whether training shall go on from it; else the optimizer's file is not looked at.

    Raises:
        EngineError: it is damaged, or of a newer format.
    """
    place = checkpoint_path(run, step)
    files = hold_whole(place, None if to_train else (MODEL, STATE))
    raw = files.read_json(STATE)
    if raw.get("format") != FORMAT:
        raise EngineError(
            f"{place} must be of format {FORMAT}; found {raw.get('format')!r}.",
            "pip install --upgrade pentad-core",
            code="format-too-new",
        )
    return Checkpoint(place, _state(raw, step, place), _scalars(raw, place), _saved_groups(raw, place), files)


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
    if not raw["lr_scale"] > 0:
        raise _damaged(place, f"lr_scale is {raw['lr_scale']}")
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
        isinstance(group, dict) and "params" not in group and all(is_plain(value) for value in group.values())
        for group in groups
    )


def is_plain(value: object) -> bool:
    """Say whether a value is a number, a word, nothing, or a flat list of them."""
    return type(value) in _SCALARS or (isinstance(value, (list, tuple)) and all(type(part) in _SCALARS for part in value))


def _damaged(place: Path, found: str) -> EngineError:
    return EngineError(f"{place / STATE} is damaged: {found}.", "Use an earlier checkpoint.", code="checkpoint-damaged")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose digest was checked."""

    path: Path
    state: TrainingState
    scalars: Mapping[str, Any]
    groups: Sequence[Sequence[Mapping[str, Any]]]
    files: HeldFiles | None = None

    def _tensors(self, name: str) -> dict[str, Tensor]:
        path = self.path / name
        try:
            return load_file(self.files.path(name) if self.files else path)
        except (SafetensorError, OSError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise MemoryError(str(error)) from error
            raise EngineError(f"{path} is damaged: {error}", "Use an earlier checkpoint.", code="checkpoint-damaged") from None

    def restore_model(self, model: Model, left_out: Set[str] = frozenset()) -> None:
        """Put the saved parameters and buffers into a model; `left_out` names those that it has already and need not be saved.

        Raises:
            EngineError: the file does not fit the model that the recipe describes.
        """
        tensors = model.upgrade_state(self._tensors(MODEL))
        odd = [name for name in differing(model, tensors) if name in tensors or name not in left_out]
        if odd:
            raise EngineError(
                f"{self.path} does not fit the model of its recipe: {odd[0]} differs (of {len(odd)}).",
                "The recipe or the plugin's version has changed since the run was made; engine.json names the versions.",
                code="checkpoint-mismatch",
            )
        put_tensors(model, tensors)

    def restore_training_weights(self, model: Model) -> None:
        """Put the weights that training resumes with into a model, where they are others than those to judge.

        Raises:
            EngineError: they do not fit the model.
        """
        tensors = self._tensors(OPTIMIZER)
        weights = {name.removeprefix(WEIGHTS): value for name, value in tensors.items() if name.startswith(WEIGHTS)}
        if weights:
            with self._fitting("model"):
                model.load_state_dict(weights, strict=False)

    def restore_optimizers(
        self, optimizers: Sequence[Optimizer], before: Sequence[Optimizer] | None = None, shapes: Shapes | None = None
    ) -> None:
        """Put the saved moments into optimizers that were made by the same recipe.

        Args:
            optimizers: as the recipe says.
            before: as the recipe said when the checkpoint was saved, where it says something else now: an entry of a group
                that is another one now (a learning rate) is not put back.
            shapes: of what the optimizers keep, as far as that is known.

        Raises:
            EngineError: the file does not fit the optimizers.
        """
        tensors = self._tensors(OPTIMIZER)
        states: list[dict[int, dict[str, Any]]] = [{} for _ in optimizers]
        with self._fitting("optimizer"):
            for key, value in (*tensors.items(), *self.scalars.items()):
                if key.startswith(WEIGHTS):
                    continue
                owner, index, name = key.split("/", 2)
                states[int(owner)].setdefault(int(index), {})[name] = value
            olds = [optimizer.param_groups for optimizer in before or optimizers]
            known: Sequence[Any] = shapes or [None] * len(states)
            for optimizer, state, saved, old, expected in zip(optimizers, states, self.groups, olds, known, strict=True):
                require_fitting(optimizer, state, expected)
                groups = optimizer.state_dict()["param_groups"]
                for group, entries, earlier in zip(groups, saved, old, strict=True):
                    merged(group, entries, earlier)
                optimizer.load_state_dict({"state": state, "param_groups": groups})

    @contextlib.contextmanager
    def _fitting(self, part: str) -> Iterator[None]:
        """Say of what does not fit that it does not, whatever torch says of it."""
        try:
            yield
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            raise EngineError(
                f"{self.path} does not fit its {part}: {error}", "Use an earlier checkpoint.", code="checkpoint-mismatch"
            ) from None


def differing(model: Model, tensors: Mapping[str, Tensor]) -> list[str]:
    """Name what a model and saved tensors have not in common, by name, shape and number format; a buffer may have grown."""
    wanted = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in unshared(model.state_dict()).items()}
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


def _resize_buffers(model: Model, tensors: Mapping[str, Tensor]) -> None:
    """Give the buffers of a model the shapes that were saved."""
    for name, buffer in list(model.named_buffers()):
        saved = tensors.get(name)
        if saved is not None and saved.shape != buffer.shape:
            owner, _, leaf = name.rpartition(".")
            model.get_submodule(owner)._buffers[leaf] = saved.to(buffer.device, copy=True)


def unshared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out tensors that are another one under a second name (tied weights), and make the rest plain copies."""
    seen: set[tuple[int, tuple[int, ...], tuple[int, ...]]] = set()
    kept = {}
    for name, tensor in tensors.items():
        identity = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride())
        if tensor.numel() and identity in seen:
            continue
        seen.add(identity)
        kept[name] = plain(tensor)
    return kept


def plain(tensor: Tensor) -> Tensor:
    """Return the tensor on the CPU in a storage of its own, as safetensors wants it; itself where it is so already."""
    there = tensor.detach().to("cpu").contiguous()
    alone = there.untyped_storage().nbytes() == there.numel() * there.element_size()
    return there if alone else there.clone()
