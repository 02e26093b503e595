"""What a training will cost on this machine, found out by doing a little of it on a copy of the model."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import statistics
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from lm_engine.errors import EngineError
from lm_engine.examples import Batch, ExampleBuilder, Tokens
from lm_engine.model import Model
from lm_engine.objective import CHUNK_LOGITS, cross_entropy_backward
from lm_engine.optimizer import Optimization
from lm_engine.recipe import TrainingOptions
from lm_engine.runtime import Machine, peak_memory, resident_bytes
from lm_engine.training import Trainer, named_parameters

TRIAL_STEPS = 5
"""Most steps that are timed: a slow one among them does not move their median."""

TRIAL_SECONDS = 1.5
"""Seconds of timed steps after which no further one is begun."""

WARM_UP_SHARE = 8
"""Warming up takes this part of a step's examples: memory, kernels and the optimizer's state need no more."""


START = 0.001
"""Progress that the schedule is told: where rates rise at the start, they are small here, so that the twin does not diverge."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Costs of a training step.

    Args:
        flops_per_step: floating-point operations, forward and backward, by torch's counter.
        seconds_per_step: median of a few steps, after a smaller one that warms up.
        memory_bytes: of the whole process at its largest.
    """

    flops_per_step: float
    seconds_per_step: float
    memory_bytes: int


def estimate(
    model: Model, make_optimization: object, builder: ExampleBuilder, tokens: Tokens, options: TrainingOptions, machine: Machine
) -> Estimate:
    """Measure a few steps on a copy of the model; the model itself stays as it is.

    Args:
        model: freshly initialised, on the machine's device.
        make_optimization: makes an `Optimization` of named parameters, or None for a model without any.
        builder, tokens, options, machine: as for `Trainer`.
    """
    twin = copy.deepcopy(model)
    optimization: Optimization | None = make_optimization(named_parameters(twin)) if callable(make_optimization) else None
    flops, activations = _one_row(twin, builder, tokens, options, machine)
    if machine.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(machine.device)
    few = max(1, options.batch_size // WARM_UP_SHARE)
    warming = dataclasses.replace(options, batch_size=few, accumulation=1)
    warm_up = Trainer(twin, optimization, builder, tokens, warming, machine).step(0, START).seconds
    trainer = Trainer(twin, optimization, builder, tokens, options, machine)
    seconds: list[float] = []
    with contextlib.suppress(EngineError):  # what cannot be timed can still be tried: the run itself will say what is wrong
        while len(seconds) < TRIAL_STEPS and sum(seconds) < TRIAL_SECONDS:
            seconds.append(trainer.step(len(seconds), START).seconds)
    state = sum(
        value.numel() * value.element_size()
        for optimizer in (optimization.optimizers if optimization else ())
        for entries in optimizer.state.values()
        for value in entries.values()
        if isinstance(value, torch.Tensor)
    )
    if machine.device.type == "cuda":
        memory = torch.cuda.max_memory_allocated(machine.device)
    else:
        weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
        rows = -(-options.batch_size // options.accumulation)
        logits = 3 * 4 * min(CHUNK_LOGITS["cpu"], rows * options.context_length * model.vocab_size)
        reckoned = _resident_at_start + 2 * weights + state + rows * activations + logits
        memory = max(reckoned, peak_memory())  # of small models the modules that training imports are the most
    return Estimate(
        flops_per_step=flops * options.batch_size,
        seconds_per_step=statistics.median(seconds or [warm_up * options.batch_size / few]),
        memory_bytes=int(memory),
    )


_resident_at_start = resident_bytes()  # with torch imported, before any model is made


def _one_row(
    model: Model, builder: ExampleBuilder, tokens: Tokens, options: TrainingOptions, machine: Machine
) -> tuple[float, int]:
    """Return the operations of one example, forward and backward, and the bytes that its forward keeps for the backward."""
    batch: Batch = builder.build(tokens, np.zeros(1, dtype=np.int64), options.seed)
    inputs = torch.from_numpy(batch.inputs).to(machine.device)
    targets = torch.from_numpy(batch.targets).to(machine.device)
    segments = None if batch.segments is None else torch.from_numpy(batch.segments).to(machine.device)
    own = {parameter.data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.data_ptr() not in own:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    def learn() -> None:
        if any(parameter.requires_grad for parameter in model.parameters()):
            cross_entropy_backward(model, model, machine, inputs, targets, segments)
        else:
            model(inputs, None, segments)
        model.zero_grad(set_to_none=True)

    counter = FlopCounterMode(display=False)
    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with counter, hooks:
        learn()
    if any(isinstance(module, torch.nn.RNNBase) for module in model.modules()):
        counter = FlopCounterMode(display=False)
        with counter, _without_fused_layers():
            learn()
    return float(counter.get_total_flops()), sum(kept.values())


@contextlib.contextmanager
def _without_fused_layers() -> Iterator[None]:
    """Let torch compute its recurrent layers from products: its counter takes oneDNN's and cuDNN's for nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the switch speaks of Intel GPUs where there are none
        with torch.backends.mkldnn.flags(enabled=False), torch.backends.cudnn.flags(enabled=False):
            yield
