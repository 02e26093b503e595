"""Whether a saved optimizer state fits an optimizer, asked before it is used: the file may be another model's, or a stranger's.

Torch takes any state as it comes. What does not fit shows in the next step, as an error in the middle of torch or, where a
fused kernel goes by the size of the parameters alone, as a read or a write beyond the end of what was saved.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pentad.contracts.stepping import AVERAGE

Shapes = Sequence[Mapping[int, Mapping[str, "tuple[int, ...] | None"]]]
"""For each optimizer, parameter and name the shape of a tensor; None for what is no tensor."""

_OF_THE_MACHINE = ("foreach", "fused", "capturable", "differentiable")
"""Entries of torch's groups that choose a kernel: they are the machine's, whatever the file says."""


def shapes_after_a_step(make: Callable[[Callable[[nn.Parameter], nn.Parameter]], Sequence[Optimizer]]) -> Shapes | None:
    """Return what optimizers keep once they have done a step, found out by a step on tensors that have shapes alone.

    Args:
        make: makes the optimizers over what its argument makes of each parameter.

    Returns:
        The shapes, or None where an optimizer cannot step without numbers.
    """

    def hollow(parameter: nn.Parameter) -> nn.Parameter:
        copy = nn.Parameter(torch.empty_like(parameter, device="meta"))
        copy.grad = torch.empty_like(copy)
        return copy

    try:
        optimizers = make(hollow)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for optimizer in optimizers:
                optimizer.step()
        return [
            {index: {name: _shape(value) for name, value in entries.items()} for index, entries in saved["state"].items()}
            for saved in (optimizer.state_dict() for optimizer in optimizers)
        ]
    except Exception:  # whatever a plugin's step does with tensors that hold nothing
        return None


def _shape(value: Any) -> tuple[int, ...] | None:
    return tuple(value.shape) if isinstance(value, Tensor) else None


def require_fitting(optimizer: Optimizer, state: Mapping[int, Mapping[str, Any]], shapes: Mapping[int, Any] | None) -> None:
    """Make sure that a saved state is one that the optimizer could have.

    Args:
        optimizer: without a state yet.
        state: by the number of the parameter and by name.
        shapes: what it would keep after a step, or None where that is not known: then a tensor must be a single number, or
            have the parameter's shape with no dimension longer.

    Raises:
        ValueError: it does not fit; says what.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if not state.keys() <= set(range(len(parameters))):
        raise ValueError(f"it holds the state of {len(state)} parameters, expected {len(parameters)}")
    for index, entries in state.items():
        own = tuple(parameters[index].shape)
        expected = None if shapes is None else shapes.get(index, {})
        missing = set(expected or ()) - set(entries) - {AVERAGE}
        if missing:
            raise ValueError(f"{min(missing)} of parameter {index} is missing")
        for name, value in entries.items():
            wanted, found = (expected or {}).get(name, ...), _shape(value)
            fits = _may_be_of(found, own) if wanted is ... else found == wanted or {found, wanted} <= {None, (), (1,)}
            if not fits:
                raise ValueError(
                    f"{name} of parameter {index} has the shape {found}, expected {own if wanted is ... else wanted}"
                )


def _may_be_of(found: tuple[int, ...] | None, own: tuple[int, ...]) -> bool:
    """Say whether a tensor may belong to a parameter: a number, its whole shape, or rows and columns of it (Adafactor)."""
    if found in (None, (), (1,)):
        return True
    assert found is not None
    return len(found) <= len(own) and all(size == 1 or size in own for size in found)


def merged(group: dict[str, Any], saved: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Put the saved entries of a group in the place of its own.

    Args:
        group: as the recipe says now.
        saved: from the checkpoint.
        before: as the recipe said then: where it says something else now, the group's own entry stays.

    Raises:
        ValueError: an entry is of another kind.
    """
    for key, value in saved.items():
        own = group.get(key)
        if key in _OF_THE_MACHINE or own != before.get(key):
            continue
        value = tuple(value) if isinstance(value, list) else value
        if own is not None and value is not None and _kind(own) != _kind(value):
            raise ValueError(f"{key} is {value!r}, expected something like {own!r}")
        group[key] = value


def _kind(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_kind(part) for part in value)
    if isinstance(value, Tensor) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return float
    return type(value)
