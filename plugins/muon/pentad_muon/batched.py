"""torch's Muon with matrices of one shape orthogonalised together, in a precision that the device is fast in.

torch.optim.Muon takes one matrix after the other and always iterates in bfloat16, which a CPU without native bfloat16
emulates. Parameters, groups and state stay torch's: either class loads the other's state.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from pentad_muon.polynomials import Polynomial, polar_express

_CHUNK_ELEMENTS = 2**24
"""Matrices stacked at once, in elements: the iteration holds about four times as many."""

_STEPS_ON_GRAM = 5
"""Rounding errors in a Gram matrix may grow twelvefold a step (the first coefficient squared), so it is made anew in time."""

_EPS = 1e-10
"""Added to what NorMuon divides by."""


class BatchedMuon(torch.optim.Muon):
    """torch.optim.Muon, faster; same arguments, same state.

    A group may have other polynomials than its `ns_coefficients` under `newton_schulz` (`pentad_muon.polynomials`).
    """

    iterates_in: torch.dtype | None = None
    """What the Newton-Schulz iteration computes in; None takes what suits the device."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move every matrix that has a gradient by one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moving = [parameter for parameter in group["params"] if parameter.grad is not None]
            for parameters in _alike(moving):
                self._move(parameters, group)
        return loss

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Move N matrices of one shape (R, C)."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        buffers = [self._buffer(parameter) for parameter in parameters]
        momentum, lr = group["momentum"], float(group["lr"])
        torch._foreach_lerp_(buffers, gradients, 1 - momentum)
        if not lr:  # as a schedule may end; some kernels leave a product times 0 unset, and 0 times that may be no number
            return
        directions = torch._foreach_lerp(gradients, buffers, momentum) if group["nesterov"] else buffers
        updates = self._updates(torch.stack(tuple(directions)), parameters, group).to(parameters[0].dtype)
        # The rate goes into none of the products: oneDNN makes and keeps a new one, megabytes large, for each factor it sees.
        scale = -_adjusted(lr, group["adjust_lr_fn"], parameters[0].shape)
        if lr * group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - lr * group["weight_decay"])
        torch._foreach_add_(parameters, list(updates.unbind()), alpha=scale)

    def _updates(self, directions: Tensor, parameters: list[Tensor], group: dict[str, Any]) -> Tensor:
        """Return what moves the matrices (N, R, C) at a rate of -1, of their directions of ascent, which are used up."""
        del parameters
        return orthogonalised(directions, _polynomials(group), group["eps"], self.iterates_in)

    def _buffer(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        return state["momentum_buffer"]  # type: ignore[no-any-return]


class BatchedNorMuon(BatchedMuon):
    """NorMuon: each row of an update is divided by the root of its running mean square, and then the whole is scaled back.

    Li et al., NorMuon: Making Muon more efficient and scalable, 2025. Under `match_rms_adamw` the update has the root mean
    square 0.2, as in the paper; under `original` it keeps the norm that Muon gave it, as in their code. So Muon's learning
    rates hold for it. It keeps one number more for each row (R, 1).

    Args:
        params, settings: as for torch.optim.Muon.
        second_momentum: decay of the running mean.
    """

    def __init__(self, params: Any, *, second_momentum: float = 0.95, **settings: Any) -> None:
        super().__init__(params, **settings)
        for group in self.param_groups:
            group["second_momentum"] = second_momentum

    def _updates(self, directions: Tensor, parameters: list[Tensor], group: dict[str, Any]) -> Tensor:
        rows = [self._row_squares(parameter) for parameter in parameters]
        updates = orthogonalised(directions, _polynomials(group), group["eps"], self.iterates_in).float()
        norms: Tensor | float = torch.linalg.matrix_norm(updates, keepdim=True)  # (N, 1, 1)
        if group["adjust_lr_fn"] == "match_rms_adamw":
            norms = math.sqrt(min(parameters[0].shape))  # times _adjusted: 0.2 sqrt(R C)
        torch._foreach_lerp_(rows, list(updates.square().mean(-1, keepdim=True).unbind()), 1 - group["second_momentum"])
        evened: Tensor = updates / (torch.stack(rows).sqrt() + _EPS)
        scaled: Tensor = evened * (norms / (torch.linalg.matrix_norm(evened, keepdim=True) + _EPS))
        return scaled

    def _row_squares(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "row_squares" not in state:
            state["row_squares"] = torch.zeros(parameter.shape[0], 1, dtype=torch.float32, device=parameter.device)
        return state["row_squares"]  # type: ignore[no-any-return]


def orthogonalised(matrices: Tensor, polynomials: Sequence[Polynomial], eps: float, dtype: torch.dtype | None = None) -> Tensor:
    """Bring the singular values of each matrix (N, R, C) near 1 by a quintic Newton-Schulz iteration.

    In `dtype`, or where it is None in bfloat16 where a CUDA device multiplies it natively, as torch does, and in float32
    elsewhere. The matrices are used up.

    Args:
        matrices: any; each is divided by its Frobenius norm, or by eps where that is less.
        polynomials: one for each step.
        eps, dtype: as said.
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.to(dtype or _precision(matrices.device))
    x = x.mT if tall else x  # (N, short, long)
    x.div_(torch.linalg.matrix_norm(x, keepdim=True).clamp(min=eps))
    if x.shape[-1] < 2 * x.shape[-2] or x.dtype != torch.float32:
        x = _iterate(x, polynomials)
    else:
        for start in range(0, len(polynomials), _STEPS_ON_GRAM):
            x = _iterate_on_gram(x, polynomials[start : start + _STEPS_ON_GRAM])
    return x.mT if tall else x


def _iterate(x: Tensor, polynomials: Sequence[Polynomial]) -> Tensor:
    """Return x <- (a + b G + c G^2) x for each polynomial, with G = x x^T of each x (N, S, L)."""
    for a, b, c in polynomials:
        gram = x @ x.mT  # (N, S, S)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def _iterate_on_gram(x: Tensor, polynomials: Sequence[Polynomial]) -> Tensor:
    """Return the same with 4 products (S, S) a step in place of two (S, L): 45% fewer operations at L = 4 S, 5 steps.

    With P = a + b G + c G^2, the next x is P x and its G is P G P; so P's are multiplied up, and x once at the end.
    """
    gram = x @ x.mT  # (N, S, S)
    product: Tensor | None = None
    for step, (a, b, c) in enumerate(polynomials):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        product = factor if product is None else factor @ product
        if step + 1 < len(polynomials):
            gram = factor @ gram @ factor
    return x if product is None else product @ x


def _polynomials(group: dict[str, Any]) -> Sequence[Polynomial]:
    if group.get("newton_schulz") == "polar-express":
        return polar_express(group["ns_steps"])
    return [tuple(group["ns_coefficients"])] * group["ns_steps"]


def _alike(parameters: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield matrices of one shape, as many as may be stacked."""
    alike: dict[Any, list[Tensor]] = defaultdict(list)
    for parameter in parameters:
        alike[(parameter.shape, parameter.device, parameter.dtype)].append(parameter)
    for (shape, *_), members in alike.items():
        size = max(1, _CHUNK_ELEMENTS // max(1, shape.numel()))
        yield from (members[start : start + size] for start in range(0, len(members), size))


def _precision(device: torch.device) -> torch.dtype:
    native = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.bfloat16 if native else torch.float32


def _adjusted(lr: float, rule: str | None, shape: torch.Size) -> float:
    """Return the learning rate for a shape, by the rules of torch.optim.Muon."""
    rows, columns = shape
    if rule == "match_rms_adamw":
        return lr * 0.2 * math.sqrt(max(rows, columns))
    return lr * math.sqrt(max(1.0, rows / columns))
