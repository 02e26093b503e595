"""SOAP: Vyas et al., SOAP: Improving and Stabilizing Shampoo using Adam, 2024.

Shampoo's preconditioner of a matrix gradient G (R, C) is made of running means of G G^T (R, R) and G^T G (C, C). SOAP runs Adam
in the eigenbasis of these two: the second moment is that of Q_L^T G Q_R. The basis follows the means by one power iteration and
a QR decomposition every few steps. The first step only starts the means, as in the authors' code.

Vectors have no basis, which makes SOAP plain Adam for them. The rows of embedding and head belong to tokens, so they get a
basis for the width alone, as does a matrix with a side longer than `max_size`.

Written out, though pytorch-optimizer has it (a test holds the two equal, but for where eps is added): its state has lists of
tensors, which a checkpoint without pickle cannot hold, and it leaves out a side by its size alone, so that a small vocabulary
would get a basis over its tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pentad import NamedParameter, Optimization, parameter_groups, schedule
from pentad_optimizers.groups import ByGroup
from pentad_optimizers.options import SOAPOptions

_TINY = 1e-30
"""Added to the diagonal of what is decomposed, which may be all zeros."""


def soap(options: SOAPOptions, parameters: Sequence[NamedParameter]) -> Optimization:
    """Return SOAP over all parameters, in a group for each role."""
    of_tokens = {id(named.parameter) for named in parameters if named.role in ("embedding", "head")}
    groups = parameter_groups(options, parameters)
    for group in groups:
        group["rows_are_tokens"] = id(group["params"][0]) in of_tokens
    return Optimization(optimizers=[SOAP(groups, options)] if groups else [], schedule=schedule(options))


class SOAP(ByGroup):
    """Adam in a slowly turning basis.

    State of a parameter with the sizes (S0, S1, …): `mean` and `square`, of its shape, the latter in the basis; `steps`; and
    for each side i with a basis `gram_i` and `basis_i` (Si, Si), eigenvectors in columns.

    Args:
        groups: parameters with their learning rate, weight decay and whether their rows are tokens.
        options: the decays and the rest.
    """

    def __init__(self, groups: list[dict[str, Any]], options: SOAPOptions) -> None:
        names = ("lr", "beta1", "beta2", "gram_beta", "eps", "every", "max_size")
        super().__init__(groups, {name: getattr(options, name) for name in names})

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            assert parameter.grad is not None
            self._move_one(parameter, parameter.grad, group)

    def _move_one(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            self._start(parameter, gradient, group)
            return
        state["steps"] += 1
        beta1, beta2, steps = group["beta1"], group["beta2"], state["steps"]
        state["mean"].lerp_(gradient, 1 - beta1)
        state["square"].lerp_(_turned(gradient, state).square(), 1 - beta2)
        divisor = (state["square"] / (1 - beta2**steps)).sqrt_().add_(group["eps"])
        direction = _turned(_turned(state["mean"], state) / divisor, state, back=True)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(direction, alpha=-group["lr"] / (1 - beta1**steps))
        for axis in _axes(state):
            state[f"gram_{axis}"].lerp_(_gram(gradient, axis), 1 - group["gram_beta"])
        if steps % group["every"] == 0:
            self._follow(state)

    def _start(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        state["steps"] = 0
        state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        first = 1 if group["rows_are_tokens"] else 0
        for axis, size in enumerate(parameter.shape if parameter.ndim > 1 else ()):
            if axis >= first and size <= group["max_size"]:
                gram = _gram(gradient, axis) * (1 - group["gram_beta"])
                _, basis = torch.linalg.eigh(gram + _TINY * torch.eye(size, dtype=gram.dtype, device=gram.device))
                # Contiguous, as it will be when it comes from a checkpoint: products of other strides round otherwise.
                state[f"gram_{axis}"], state[f"basis_{axis}"] = gram, basis.flip(1).contiguous()

    def _follow(self, state: dict[str, Any]) -> None:
        """Turn each basis towards the eigenvectors of its mean; columns stay sorted, the largest first."""
        for axis in _axes(state):
            gram, basis = state[f"gram_{axis}"], state[f"basis_{axis}"]
            product = gram @ basis  # (S, S)
            order = (basis * product).sum(0).argsort(descending=True)
            state["square"] = state["square"].index_select(axis, order)
            state[f"basis_{axis}"] = torch.linalg.qr(product.index_select(1, order))[0].contiguous()


def _axes(state: dict[str, Any]) -> list[int]:
    return sorted(int(name.removeprefix("basis_")) for name in state if name.startswith("basis_"))


def _gram(gradient: Tensor, axis: int) -> Tensor:
    """Return the products of the slices along an axis with each other: (S, S)."""
    rows = gradient.movedim(axis, 0).flatten(1)
    return rows @ rows.mT


def _turned(tensor: Tensor, state: dict[str, Any], *, back: bool = False) -> Tensor:
    """Return a tensor in the basis of every side that has one, or back from it."""
    for axis in _axes(state):
        basis = state[f"basis_{axis}"]
        tensor = torch.tensordot(tensor, basis, dims=([axis], [1 if back else 0])).movedim(-1, axis)
    return tensor
