"""A step of an optimizer on a GPU: it waits for nothing there, with an average and cautious decay as without."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from pentad import Choice, make, named_parameters

SHARED = {"average": 0.1, "cautious_weight_decay": True, "weight_decay_schedule": "lr"}


@contextlib.contextmanager
def waits_forbidden() -> Iterator[None]:
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def trained(choice: Choice, device: str, steps: int = 4) -> tuple[Any, Any]:
    torch.manual_seed(0)
    model = make("model", Choice("gpt", n_layer=2, n_head=2, n_embd=32), vocab_size=64, context_length=16).to(device)
    optimization = make("optimizer", choice, named_parameters(model))
    generator = torch.Generator().manual_seed(0)
    for number in range(steps):
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator).to(device)
        # The first step makes what the optimizer keeps; a wait in it would be one a run.
        with waits_forbidden() if number and device == "cuda" else contextlib.nullcontext():
            optimization.set_progress((number + 0.5) / steps)
            for optimizer in optimization.optimizers:
                optimizer.step()
    return model, optimization


@pytest.mark.parametrize("options", [{}, SHARED], ids=["plain", "shared"])
@pytest.mark.parametrize("name", ["adamw", "lion", "muon", "normuon", "sgd"])
def test_a_step_waits_for_nothing_and_moves_as_on_a_cpu(name: str, options: dict[str, Any]) -> None:
    choice = Choice(name, lr=0.01, **options)
    found, optimization = trained(choice, "cuda")
    expected, other = trained(choice, "cpu")
    with optimization.evaluating(), other.evaluating():
        for one, two in zip(found.parameters(), expected.parameters(), strict=True):
            # Muon iterates in bfloat16 there.
            assert torch.allclose(one.detach().cpu(), two, atol=3e-2 if "muon" in name else 1e-4)
