"""Parameter estimation: one optimizer step at a time.

A step's examples are decided by its number and the seed alone, and so is every random draw in it (dropout), so that a resumed
run goes on bit for bit. The gradient is that of the summed loss over all targets that count, divided by their number: how
they fall into micro-batches and processes makes no difference.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pentad.config.recipe import TrainingOptions
from pentad.contracts.batch import IGNORED, Batch, Tokens
from pentad.contracts.builder import ExampleBuilder
from pentad.contracts.model import Model
from pentad.contracts.optimizer import NamedParameter, Optimization
from pentad.inference.net import Forward, cross_entropy_backward, negative_log_likelihood
from pentad.system.errors import EngineError
from pentad.system.machine import Machine
from pentad.system.processes import World


@dataclass(frozen=True)
class Outcome:
    """What a step gave: mean loss in nats per target, the gradient's norm, the schedule's factor, its seconds."""

    loss: float
    grad_norm: float
    learning_rate: float
    seconds: float
    stop: bool = False


class Trainer:
    """Moves a model's parameters, step by step.

    Args:
        model: on the machine's device.
        optimization: its optimizers and schedule; None for a model that learns by counting.
        builder: makes the examples of `tokens`.
        tokens: the training text.
        options: batch size, gradient accumulation, clipping and seed are used.
        machine: where to compute.
        world: the processes that share the work.
        forward: the compiled model, or None for the model as it is.
    """

    def __init__(
        self,
        model: Model,
        optimization: Optimization | None,
        builder: ExampleBuilder,
        tokens: Tokens,
        options: TrainingOptions,
        machine: Machine,
        world: World | None = None,
        forward: Forward | None = None,
    ) -> None:
        self.model = model
        self.optimization = optimization
        self.builder = builder
        self.tokens = tokens
        self.options = options
        self.machine = machine
        self.world = world or World()
        self.forward: Forward = model if forward is None else forward  # a compiled model has no truth value
        self.objective = builder.objective()
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        for optimizer in optimization.optimizers if optimization else ():
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])

    def step(self, number: int, progress: float, stop: bool = False) -> Outcome:
        """Do one optimizer step.

        Args:
            number: how many steps were done before.
            progress: share of the budget that is used in the middle of this step, for the schedule.
            stop: whether this process was asked to stop; the outcome says whether any was.

        Raises:
            EngineError: the loss or a gradient is not finite; nothing was updated.
        """
        began = time.perf_counter()
        self.machine.seed(_mix(self.options.seed, number, self.world.rank))
        self.model.train()
        batches = [self._build(rows) for rows in self._micro_batches(number)]
        totals = torch.zeros(3, dtype=torch.float64)  # loss, targets, stop
        totals[2] = float(stop)
        for batch in batches:
            loss, count = self._learn(batch)
            totals[0] += loss
            totals[1] += count
        self.world.sum(totals)
        loss_sum, n_targets, stopping = totals.tolist()
        rate = self.optimization.schedule(progress) if self.optimization else 0.0
        norm = 0.0
        if n_targets and self.optimization:
            norm = self._update(number, rate, loss_sum, n_targets)
        self.machine.synchronize()
        seconds = time.perf_counter() - began
        return Outcome(loss_sum / n_targets if n_targets else 0.0, norm, rate, seconds, stopping > 0)

    def _micro_batches(self, number: int) -> list[np.ndarray]:
        first = number * self.options.batch_size
        indices = np.arange(first, first + self.options.batch_size, dtype=np.int64)
        mine = np.array_split(indices, self.world.size)[self.world.rank]
        n_parts = max(1, min(self.options.gradient_accumulation, len(mine)))
        return [rows for rows in np.array_split(mine, n_parts) if len(rows)]

    def _build(self, rows: np.ndarray) -> Batch:
        return self.builder.build(self.tokens, rows, self.options.seed)

    def _learn(self, batch: Batch) -> tuple[float, float]:
        """Add a micro-batch's gradient, and return its summed loss and the number of its targets."""
        inputs, targets, segments = self._on_device(batch)
        if self.objective is not None:
            with self.machine.autocast():
                loss, count = self.objective(self.model, inputs, targets, segments)
            if not count:
                return 0.0, 0.0  # such a loss may be no number, or hang on no parameter
            loss.backward()
            return float(loss.detach()), float(count)
        n_targets = int((batch.targets != IGNORED).sum())
        if n_targets == 0:
            return 0.0, 0.0
        if self.optimization is None:
            with torch.no_grad():
                loss_sum = negative_log_likelihood(self.model, self.machine, inputs, targets, segments)
                self.model.learn_by_counting(inputs, targets, segments)
            return loss_sum, n_targets
        summed = cross_entropy_backward(self.model, self.forward, self.machine, inputs, targets, segments)
        return float(summed), n_targets

    def _on_device(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
        device = self.machine.device
        arrays = (batch.inputs, batch.targets, batch.segments)
        tensors = [None if array is None else torch.from_numpy(array) for array in arrays]
        if device.type == "cuda":
            tensors = [None if tensor is None else tensor.pin_memory().to(device, non_blocking=True) for tensor in tensors]
        elif device.type != "cpu":
            tensors = [None if tensor is None else tensor.to(device) for tensor in tensors]
        inputs, targets, segments = tensors
        assert inputs is not None
        assert targets is not None
        return inputs, targets, segments

    def _update(self, number: int, rate: float, loss_sum: float, n_targets: float) -> float:
        assert self.optimization is not None
        self.world.sum_gradients(self.parameters)
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = float(nn.utils.get_total_norm(gradients)) / n_targets
        if not np.isfinite(norm) or not np.isfinite(loss_sum):
            raise self._not_finite(number, loss_sum)
        clip = self.options.grad_clip
        scale = min(1.0, clip / (norm + 1e-12)) if clip else 1.0
        torch._foreach_mul_(gradients, scale / n_targets)
        for optimizer in self.optimization.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return norm

    def _not_finite(self, number: int, loss_sum: float) -> EngineError:
        named = [(name, parameter.grad) for name, parameter in self.model.named_parameters() if parameter.grad is not None]
        broken = [name for name, gradient in named if not bool(gradient.isfinite().all())]
        first = number * self.options.batch_size
        where = f"the gradient of {broken[0]} (and {len(broken) - 1} more)" if broken else "the gradient's norm"
        if not np.isfinite(loss_sum):
            where = f"the loss ({loss_sum}) and {where}"
        return EngineError(
            f"Step {number + 1} must give finite numbers; found {where} is not finite, "
            f"in examples {first} to {first + self.options.batch_size - 1}. Nothing was updated.",
            "Lower the learning rate (--optimizer.lr), raise --optimizer.warmup-ratio, or use --precision fp32.",
            code="diverged",
        )


def _mix(*numbers: int) -> int:
    """Make one 63-bit seed of several numbers, so that no two steps or processes share a stream."""
    return int(np.random.SeedSequence([number % 2**64 for number in numbers]).generate_state(1, np.uint64)[0] >> 1)


def named_parameters(model: Model) -> list[NamedParameter]:
    """Return the model's trainable parameters with their roles, for the optimizer's factory."""
    roles = model.roles()
    return [
        NamedParameter(name=name, role=roles[name], parameter=parameter)
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    ]
