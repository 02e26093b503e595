"""The chunks are the loop over tokens, in fp64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pentad_recurrent.recurrence import recur

B, T, H, K, V = 2, 13, 3, 4, 5


def drawn(delta: bool) -> dict[str, Tensor | None]:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(B, T, H, *shape, dtype=torch.float64, generator=generator)

    return {
        "queries": normal(K),
        "keys": torch.nn.functional.normalize(normal(K), dim=-1),
        "values": normal(V),
        "decay": -normal().square(),
        "write": normal().sigmoid() if delta else None,
    }


def loop(
    queries: Tensor, keys: Tensor, values: Tensor, decay: Tensor, write: Tensor | None, opens: Tensor | None, memory: Tensor
):
    """The recurrence as the papers write it, one token after the other."""
    read = []
    for t in range(queries.shape[1]):
        if opens is not None:
            memory = memory * ~opens[:, t, None, None, None]
        memory = memory * decay[:, t, :, None, None].exp()
        k, v = keys[:, t, :, :, None], values[:, t, :, None, :]  # (B, H, K, 1), (B, H, 1, V)
        if write is not None:
            v = write[:, t, :, None, None] * (v - k.mT @ memory)
        memory = memory + k @ v
        read.append((queries[:, t, :, None, :] @ memory)[:, :, 0])
    return torch.stack(read, dim=1), memory


@pytest.mark.parametrize("chunk", [1, 4, 5, 13, 64])
@pytest.mark.parametrize("delta", [False, True])
@pytest.mark.parametrize("documents", [False, True])
def test_equals_the_loop(chunk: int, delta: bool, documents: bool) -> None:
    given = drawn(delta)
    opens = torch.zeros(B, T, dtype=torch.bool)
    opens[0, [3, 4, 9]], opens[1, 12] = True, True
    memory = torch.randn(B, H, K, V, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = recur(**given, opens=opens if documents else None, memory=memory, chunk=chunk)
    for one, other in zip(found, loop(**given, opens=opens if documents else None, memory=memory), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("delta", [False, True])
def test_gradients_are_the_loops(delta: bool) -> None:
    given = {name: tensor if tensor is None else tensor.requires_grad_() for name, tensor in drawn(delta).items()}
    leaves = [tensor for tensor in given.values() if tensor is not None]
    opens = torch.zeros(B, T, dtype=torch.bool)
    opens[0, 6] = True
    memory = torch.zeros(B, H, K, V, dtype=torch.float64)
    gradients = [
        torch.autograd.grad(read.square().sum() + after.sum(), leaves)
        for read, after in (recur(**given, opens=opens, memory=memory, chunk=4), loop(**given, opens=opens, memory=memory))
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_a_document_does_not_see_the_one_before_it() -> None:
    given = drawn(True)
    opens = torch.zeros(B, T, dtype=torch.bool)
    opens[:, 7] = True
    memory = torch.zeros(B, H, K, V, dtype=torch.float64)
    read = recur(**given, opens=opens, memory=memory, chunk=5)[0]
    given["values"][:, :7] = 1e200
    assert torch.equal(recur(**given, opens=opens, memory=memory, chunk=5)[0][:, 10:], read[:, 10:])


def test_what_never_fades_and_what_fades_at_once_stay_finite() -> None:
    for rate in (0.0, -1e4):
        given = {**drawn(True), "decay": torch.full((B, T, H), rate, dtype=torch.float64, requires_grad=True)}
        read, memory = recur(**given, opens=None, memory=torch.zeros(B, H, K, V, dtype=torch.float64), chunk=4)
        (gradient,) = torch.autograd.grad(read.sum() + memory.sum(), given["decay"])
        assert read.isfinite().all() and gradient.isfinite().all()
