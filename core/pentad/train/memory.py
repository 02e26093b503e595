"""Whether a training fits into memory, said before anything large is allocated.

A kernel that runs out of memory kills the process without a word. So the model is first made on torch's device `meta`, where
parameters have shapes and no bytes; what a step keeps beside them is counted on one example.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from pentad.contracts.model import Model
from pentad.contracts.optimizer import NamedParameter, Optimization
from pentad.system.errors import UsageError
from pentad.system.machine import available_memory
from pentad.train.trainer import named_parameters

Optimize = Callable[[list[NamedParameter]], Optimization]

COPIES = 3
"""How often the parameters are held while a step is measured: the model, the copy that is measured, its gradients."""

LARGE_STATE = 4
"""More copies of the parameters than an optimizer's state takes: AdamW's takes two."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What a model holds, in bytes.

    Args:
        n_parameters: how many numbers.
        weights: its parameters and buffers, once.
        state: what the optimizer keeps.
    """

    n_parameters: int
    weights: int
    state: int

    @property
    def measuring(self) -> int:
        """What is held while a step is measured, activations left out."""
        return COPIES * self.weights + self.state


class _Unfilled(TorchFunctionMode):
    """Makes tensors without values and does not fill them; what is computed, a table of positions say, is made as ever.

    `torch.device("meta")` alone would do it, but some of its operations import torch's whole compiler: 2 s instead of 5 ms.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if func in _MAKERS:
            given["device"] = "meta"
        if getattr(func, "__name__", "") in _FILLS:
            return args[0] if args else given["tensor"]  # as torch.nn.init calls it
        return func(*args, **given)


_MAKERS = (torch.empty, torch.zeros, torch.ones, torch.full, torch.randn, torch.rand)
_FILLS = ("normal_", "uniform_", "trunc_normal_")


def without_values(make: Callable[[], Model]) -> Model | None:
    """Return a model whose tensors hold no values and take no memory; None where it cannot be made so."""
    for how in (_Unfilled(), torch.device("meta")):
        with contextlib.suppress(Exception), how:  # a plugin's own code, which need not know any of this
            return make()
    return None


def sizes_of(make: Callable[[], Model], optimize: Optimize, free: float = 0.0) -> Sizes | None:
    """Return what a model will hold, without allocating it; None where it cannot be made without (it computes with values).

    Args:
        make: makes the model.
        optimize: makes its optimization.
        free: bytes; where the weights are a small part of them, the state is not looked at, which would take a second.
    """
    model = without_values(make)
    if model is None:
        return None
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    tensors = [*model.parameters(), *model.buffers()]
    weights = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return Sizes(
        n_parameters=sum(parameter.numel() for parameter in parameters),
        weights=weights,
        state=_state(model, optimize) if parameters and (COPIES + LARGE_STATE) * weights > free else 0,
    )


def count_inner(make: Callable[[], Model]) -> int | None:
    """Return the trainable parameters of a model, embedding and head left out; None where it cannot be made without values."""
    model = without_values(make)
    if model is None:
        return None
    return sum(named.parameter.numel() for named in named_parameters(model) if named.role not in ("embedding", "head"))


def _state(model: Model, optimize: Optimize) -> int:
    """Return the bytes that the optimizers keep, found out by a step on tensors without values; 0 where they cannot do one."""
    try:
        named = named_parameters(model)
        optimization = optimize(named)
        for each in named:
            each.parameter.grad = torch.empty_like(each.parameter)
        for optimizer in optimization.optimizers:
            optimizer.step()
        return state_bytes(optimization)
    except Exception:
        return 0


def state_bytes(optimization: Optimization | None) -> int:
    """Return the bytes of the optimizers' states."""
    return sum(
        value.numel() * value.element_size()
        for optimizer in (optimization.optimizers if optimization else ())
        for entries in optimizer.state.values()
        for value in entries.values()
        if isinstance(value, torch.Tensor)
    )


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on a device, or 0 where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return available_memory() if device.type == "cpu" else 0


def refuse_large_model(sizes: Sizes | None, device: torch.device) -> None:
    """Make sure that the model, its gradients and the optimizer's state fit.

    Raises:
        UsageError: they do not; says how large they are.
    """
    free = free_memory(device)
    if sizes is None or not free or sizes.measuring <= free:
        return
    raise UsageError(
        f"The model must fit into memory; found {_giga(sizes.measuring)} for {sizes.n_parameters / 1e9:.2f} billion parameters "
        f"(model, copy to measure and gradients {_giga(COPIES * sizes.weights)}, optimizer {_giga(sizes.state)}) "
        f"and {_giga(free)} free on {device.type}.",
        "Choose fewer layers, a smaller width or a smaller vocabulary: the options of --model and --tokenizer.",
        code="model-too-large",
    )


def refuse_large_batch(n_bytes: float, of_examples: float, device: torch.device) -> None:
    """Make sure that a step fits.

    Args:
        n_bytes: what a step needs in all.
        of_examples: what of it grows with the examples at once.
        device: where.

    Raises:
        UsageError: it does not fit.
    """
    free = free_memory(device)
    if free and n_bytes > free:
        raise UsageError(
            f"A step must fit into memory; found {_giga(n_bytes)}, {_giga(of_examples)} of it for the examples of one "
            f"micro-batch, and {_giga(free)} free on {device.type}.",
            "Raise --gradient-accumulation or use --recompute (the result stays the same), or lower --batch-size or "
            "--context-length.",
            code="batch-too-large",
        )


def _giga(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
