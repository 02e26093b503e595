"""Saving a checkpoint: checked, written beside, synced and renamed; older ones are removed after that."""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Iterable, Sequence, Set
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from pentad.contracts.model import Model
from pentad.contracts.optimizer import Optimization
from pentad.runs.checkpoint import (
    FORMAT,
    MODEL,
    OPTIMIZER,
    STATE,
    WEIGHTS,
    TrainingState,
    checkpoint_path,
    is_plain,
    plain,
    unshared,
)
from pentad.runs.newest import list_checkpoints, note_latest
from pentad.system.errors import EngineError, to_resume
from pentad.system.files import what_to_check, write_whole
from pentad.system.opening import UNFINISHED, discard, remove_at_once


def save_checkpoint(
    run: Path,
    state: TrainingState,
    model: Model,
    optimization: Optimization | None,
    keep: int,
    left_out: Set[str] = frozenset(),
) -> Path:
    """Write a checkpoint, and then remove all but the newest `keep`.

    `left_out` names parameters that are kept elsewhere, since an adapter froze them.

    model.safetensors has the weights to judge and to sample from (`Optimization.evaluating`); where those are not the weights
    that training resumes with, optimizer.safetensors has these too.

    Raises:
        EngineError: the weights are not finite, so that nothing could go on from them, or the disk is full or not writable;
            earlier checkpoints are untouched.
    """
    place = checkpoint_path(run, state.step)
    optimizers = optimization.optimizers if optimization else ()
    _require_finite(state.step, model, optimizers)

    def build(folder: Path) -> None:
        tensors, scalars = _flatten(optimizers)
        tensors |= _save_weights(state.step, model, optimization, folder / MODEL, left_out)
        save_file(tensors, folder / OPTIMIZER)
        facts = {"format": FORMAT, **asdict(state), "optimizer": scalars, "groups": _groups(optimizers)}
        (folder / STATE).write_text(json.dumps(facts, indent=1))
        for name in (MODEL, OPTIMIZER):  # safetensors lets only the owner read what it writes
            (folder / name).chmod((folder / STATE).stat().st_mode)

    try:
        write_whole(place, build)  # a step has one outcome: where it is saved already, it stays
        note_latest(run, state.step)
    except (OSError, SafetensorError) as error:
        raise _not_saved(run, place, error) from error
    _tidy(run, state.step, keep)
    return place


def _save_weights(
    step: int, model: Model, optimization: Optimization | None, path: Path, left_out: Set[str]
) -> dict[str, Tensor]:
    """Write the weights to judge; return those that training resumes with, where they are others, as `weights/NAME`."""

    def weights() -> dict[str, Tensor]:
        return unshared({name: tensor for name, tensor in model.state_dict().items() if name not in left_out})

    if optimization is None or not optimization.judges_other_weights:
        save_file(weights(), path)
        return {}
    training = {name: tensor.clone() for name, tensor in weights().items()}
    with optimization.evaluating():
        _require_finite(step, model)
        save_file(weights(), path)
    return {f"{WEIGHTS}{name}": tensor for name, tensor in training.items()}


def _require_finite(step: int, model: Model, optimizers: Sequence[Optimizer] = ()) -> None:
    """Refuse weights, and moments that would make them so, from which nothing can go on; one reduction of each.

    Raises:
        EngineError: a weight is not finite, or a moment is not a number.
    """
    found = ""
    if not _largest(model.parameters()).isfinite():
        broken = [name for name, weight in model.named_parameters() if not _largest([weight]).isfinite()]
        found = f"{broken[0]} (and {len(broken) - 1} more)"
    elif _largest(_moments(optimizers)).isnan():  # without end it may be: the square of a large gradient
        found = "what the optimizer keeps"
    if found:
        raise EngineError(
            f"The weights after step {step} must be finite to be saved; found {found} is not.",
            "Lower the learning rate (--optimizer.lr), raise --optimizer.warmup-ratio, or use --precision fp32.",
            code="diverged",
        )


def _largest(tensors: Iterable[Tensor]) -> Tensor:
    """Return the largest absolute value, which is not a number where one of them is not."""
    numbers = [tensor.detach() for tensor in tensors if tensor.is_floating_point() and tensor.numel()]
    return nn.utils.get_total_norm(numbers, norm_type=torch.inf) if numbers else torch.zeros(())


def _moments(optimizers: Sequence[Optimizer]) -> Iterable[Tensor]:
    entries = (entry for optimizer in optimizers for state in optimizer.state.values() for entry in state.values())
    return (entry for entry in entries if isinstance(entry, Tensor))


def _tidy(run: Path, newest: int, keep: int) -> None:
    """Remove older checkpoints and what killed processes left. One of a later step is damaged, or the run had not gone on
    from an earlier one; it is no reason to remove a whole one.
    """
    with contextlib.suppress(OSError, EngineError):  # the next save tries again
        for step in [step for step in list_checkpoints(run) if step <= newest][keep:]:
            remove_at_once(checkpoint_path(run, step))
        for left in (run / "checkpoints").glob(f"*{UNFINISHED}"):
            discard(left)


def _not_saved(run: Path, place: Path, error: Exception) -> EngineError:
    full = (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or "No space left" in str(error)
    cause = "the disk is full" if full else getattr(error, "strerror", None) or str(error)
    kept: list[int] = []
    with contextlib.suppress(EngineError):
        kept = list_checkpoints(run)
    safe = f"The checkpoint of step {kept[0]} is whole" if kept else "No earlier checkpoint exists"
    check = "Make room" if full else what_to_check(error) if isinstance(error, OSError) else "Check the disk"
    return EngineError(
        f"The checkpoint {place} could not be written: {cause}. {safe}.",
        f"{check}, then: {to_resume(run)}",
        code="checkpoint-not-saved",
    )


def _flatten(optimizers: Sequence[Optimizer]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Turn optimizers' states into tensors and JSON values under the keys `optimizer/parameter/name`."""
    tensors: dict[str, Tensor] = {}
    scalars: dict[str, Any] = {}
    for number, optimizer in enumerate(optimizers):
        for index, entries in optimizer.state_dict()["state"].items():
            for name, value in entries.items():
                key = f"{number}/{index}/{name}"
                if isinstance(value, torch.Tensor):
                    tensors[key] = plain(value)
                else:
                    scalars[key] = value
    return tensors, scalars


def _groups(optimizers: Sequence[Optimizer]) -> list[list[dict[str, Any]]]:
    """Return what each group holds beside its parameters: some optimizers (schedule-free ones) count in there."""
    return [
        [
            {key: value for key, value in group.items() if key != "params" and is_plain(value)}
            for group in optimizer.param_groups
        ]
        for optimizer in optimizers
    ]
