"""What a training will cost on this machine, found out by doing a little of it on a copy of the model."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pentad.config.tables import TrainingOptions
from pentad.contracts.batch import Tokens
from pentad.contracts.builder import ExampleBuilder
from pentad.contracts.model import Model
from pentad.contracts.optimizer import NamedParameter, Optimization
from pentad.contracts.session import Session
from pentad.inference.net import CHUNK_LOGITS, ModelNet
from pentad.speed.batches import on_device
from pentad.speed.recomputing import recompute_blocks
from pentad.system.errors import EngineError
from pentad.system.machine import peak_memory, resident_bytes
from pentad.train.memory import refuse_large_batch, state_bytes
from pentad.train.trainer import Trainer, loss_of, named_parameters

TRIAL_STEPS = 5
"""Steps that are timed: a slow one among them does not move their median."""

TRIAL_SECONDS = 1.5
"""Seconds of timed steps after which no further one is begun."""

MORE_STEPS, MORE_SECONDS = 12, 0.4
"""Quick steps are timed up to this number, until these seconds are over: the first ones of all are slower than those to come,
and a fifth of a second may be an unusual one."""

WARM_UP_SHARE = 8
"""Warming up takes this part of a step's examples: memory, kernels and the optimizer's state need no more."""


START = 0.001
"""Progress that the schedule is told: where rates rise at the start, they are small here, and the replica does not diverge."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Costs of a training step.

    Args:
        flops_per_step: floating-point operations of the matrix products, forward and backward, on every device alike.
        seconds_per_step: median of a few steps, after a smaller one that warms up.
        memory_bytes: of the whole process at its largest.
    """

    flops_per_step: float
    seconds_per_step: float
    memory_bytes: int


def estimate(
    net: ModelNet,
    make_optimization: Callable[[list[NamedParameter]], Optimization] | None,
    builder: ExampleBuilder,
    tokens: Tokens,
    options: TrainingOptions,
    session: Callable[[Model], Session] | None = None,
    *,
    recompute: bool = False,
) -> Estimate:
    """Measure a few steps on a copy of the model; the model itself stays as it is.

    Args:
        net: the model, freshly initialised.
        make_optimization: makes an `Optimization` of named parameters, or None for a model without any.
        builder, tokens, options, session: as for `Trainer`.
        recompute: whether the blocks are computed again in the backward pass. It needs less memory and more time; operations
            stay those of the model, as a budget of them must buy the same training on every machine.

    Raises:
        UsageError: a step does not fit into memory.
    """
    model, machine = net.model, net.machine
    copied = ModelNet(copy.deepcopy(model).to(machine.device), machine, vocabulary=net.vocabulary, reference=net.reference)
    optimization = make_optimization(named_parameters(copied.model)) if make_optimization else None
    trainer = Trainer(copied, optimization, builder, tokens, options, session=session)
    row = _one_row(trainer)
    if recompute:
        recompute_blocks(copied.model)
    if machine.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(machine.device)
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    rows = -(-options.batch_size // options.gradient_accumulation)
    logits = 3 * 4 * min(CHUNK_LOGITS.get(machine.device.type, 1 << 26), rows * options.context_length * model.vocab_size)
    examples = rows * (row.recomputed if recompute else row.kept) + logits
    refuse_large_batch(2 * weights + examples, examples, machine.device)  # the model and what is measured hold the rest already
    few = max(1, options.batch_size // WARM_UP_SHARE)
    warming = dataclasses.replace(options, batch_size=few, gradient_accumulation=1)
    warm_up = Trainer(copied, optimization, builder, tokens, warming, session=session).step(0, START).seconds
    machine.synchronize()
    seconds: list[float] = []
    with contextlib.suppress(EngineError):  # what cannot be timed can still be tried: the run itself will say what is wrong
        while len(seconds) < MORE_STEPS and sum(seconds) < (TRIAL_SECONDS if len(seconds) < TRIAL_STEPS else MORE_SECONDS):
            seconds.append(trainer.step(len(seconds), START).seconds)
    if machine.device.type == "cuda":
        memory = torch.cuda.max_memory_allocated(machine.device)
    else:
        estimated = _resident_at_start + 2 * weights + state_bytes(optimization) + examples
        memory = max(estimated, peak_memory())  # of small models the modules that training imports are the most
    return Estimate(
        flops_per_step=row.flops * options.batch_size * builder.updates,
        seconds_per_step=statistics.median(seconds or [warm_up * options.batch_size / few]),
        memory_bytes=int(memory),
    )


_resident_at_start = resident_bytes()  # with torch imported, before any model is made


@dataclass(frozen=True)
class _Row:
    """What one example takes.

    Args:
        flops: operations, forward and backward.
        kept: bytes that its forward keeps for the backward.
        recomputed: those where each block keeps its inputs alone, and the largest block is computed again.
    """

    flops: float
    kept: int
    recomputed: int


def _one_row(trainer: Trainer) -> _Row:
    batch = on_device(trainer.build(np.zeros(1, dtype=np.int64)), trainer.machine)
    own = {parameter.data_ptr() for parameter in trainer.model.parameters()}
    blocks = trainer.model.blocks()
    inside: dict[nn.Module | None, dict[int, int]] = {None: {}, **{block: {} for block in blocks}}
    current: list[nn.Module | None] = [None]

    def note(tensor: torch.Tensor, where: nn.Module | None) -> None:
        if tensor.data_ptr() not in own:
            storage = tensor.untyped_storage()
            inside[where][storage.data_ptr()] = storage.nbytes()

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        note(tensor, current[-1])
        return tensor

    def enter(block: nn.Module, inputs: tuple[Any, ...]) -> None:
        for tensor in inputs:
            if isinstance(tensor, torch.Tensor):
                note(tensor, None)
        current.append(block)

    trainer.model.train(trainer.objective.dropout)
    counter = FlopCounterMode(display=False, custom_mapping=_fused())
    with contextlib.ExitStack() as held:
        for block in blocks:
            held.callback(block.register_forward_pre_hook(enter).remove)
            held.callback(block.register_forward_hook(lambda *_: current.pop() and None).remove)
        held.enter_context(counter)
        held.enter_context(torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor))
        loss = loss_of(trainer.objective, trainer.net, batch).total
        if loss.requires_grad:
            loss.backward()
    trainer.net.pop_auxiliary()
    trainer.model.zero_grad(set_to_none=True)
    kept = {place: size for tensors in inside.values() for place, size in tensors.items()}
    outside = sum(inside[None].values())
    largest = max((sum(inside[block].values()) for block in blocks), default=0)
    return _Row(float(counter.get_total_flops()), sum(kept.values()), min(sum(kept.values()), outside + largest))


def _fused() -> dict[Any, Callable[..., int]]:
    """Return the operations of fused layers, from their arguments' shapes: those of the products that they stand for.

    torch's counter takes attention on a CPU, oneDNN's and cuDNN's recurrent layers for nothing. On a GPU it counts the scores
    that attention's backward computes again to save memory; here they are left out, so that no device and no kernel that
    torch may choose makes a model cost more. What a causal mask would spare is counted, as it is where there is no kernel.
    """
    aten = torch.ops.aten
    counts: dict[Any, Callable[..., int]] = {}
    for kernel in ("flash_attention_for_cpu", "flash_attention", "efficient_attention", "cudnn_attention"):
        counts[getattr(aten, f"_scaled_dot_product_{kernel}")] = _attention
        counts[getattr(aten, f"_scaled_dot_product_{kernel}_backward")] = _attention_backward
    counts[aten.mkldnn_rnn_layer] = lambda inputs, *rest, **_: _recurrence(inputs, rest[:4])
    counts[aten.mkldnn_rnn_layer_backward] = lambda inputs, *rest, **_: 2 * _recurrence(inputs, rest[:4])
    counts[aten._cudnn_rnn] = lambda inputs, weights, *_, **__: _recurrence(inputs, weights)
    counts[aten._cudnn_rnn_backward] = lambda inputs, weights, *_, **__: 2 * _recurrence(inputs, weights)
    return counts


def _attention(query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: object, **__: object) -> int:
    """Count queries times keys and weights times values; queries are (B, H, T, Dh), keys and values may have fewer heads."""
    batch, heads, length, width = query
    return 2 * batch * heads * length * key[2] * (width + value[3])


def _attention_backward(
    _: object, query: Sequence[int], key: Sequence[int], value: Sequence[int], *__: object, **___: object
) -> int:
    return 2 * _attention(query, key, value)  # two products for each of the forward


def _recurrence(inputs: Sequence[int], weights: Sequence[Sequence[int]]) -> int:
    """Count a product with each matrix among the weights, for every token of the inputs (…, D)."""
    return 2 * math.prod(inputs[:-1]) * sum(math.prod(weight) for weight in weights if len(weight) == 2)
