"""Parameter estimation: one optimizer step at a time.

A step's examples are decided by its number and the seed alone, and so is every random draw in it (dropout), so that a resumed
run goes on bit for bit. The gradient is that of the summed loss over all targets that count, divided by their number: how
they fall into micro-batches and processes makes no difference. Gradients of several processes are averaged by torch's
DistributedDataParallel, which wraps the objective and the model together.
"""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pentad.config.tables import TrainingOptions
from pentad.contracts.batch import IGNORED, Batch, Tokens
from pentad.contracts.builder import ExampleBuilder
from pentad.contracts.model import Model
from pentad.contracts.objective import CrossEntropy, Loss, Objective, TensorBatch
from pentad.contracts.optimizer import NamedParameter, Optimization
from pentad.contracts.session import Session
from pentad.inference.net import ModelNet
from pentad.registry.failures import wrong_return
from pentad.speed.batches import Batches, on_device
from pentad.system.errors import EngineError
from pentad.system.processes import World


@dataclass(frozen=True)
class StepResult:
    """What a step gave: mean loss, the gradient's norm, the schedule's factor, its seconds, and further means by name.

    `stop` says whether any process was asked to stop, `ended` whether an observer asked for the end of the training.
    """

    loss: float
    grad_norm: float
    learning_rate: float
    seconds: float
    stop: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    ended: bool = False


@dataclass(frozen=True)
class _Part:
    """What a micro-batch summed, on the device: loss, targets, and metrics by their names."""

    names: tuple[str, ...]
    values: Tensor  # (2 + len(names),)


class Trainer:
    """Moves a model's parameters, step by step.

    Args:
        net: the model, on the machine's device.
        optimization: its optimizers and schedule; None for a model that learns by counting.
        builder: makes the examples of `tokens`.
        tokens: the training text.
        options: batch size, gradient accumulation, clipping and seed are used.
        world: the processes that share the work.
        session: opens the model for a builder that writes its examples with it.
    """

    def __init__(
        self,
        net: ModelNet,
        optimization: Optimization | None,
        builder: ExampleBuilder,
        tokens: Tokens,
        options: TrainingOptions,
        world: World | None = None,
        session: Callable[[Model], Session] | None = None,
    ) -> None:
        self.net, self.model, self.machine = net, net.model, net.machine
        self.optimization = optimization
        self.builder = builder
        self.tokens = tokens
        self.options = options
        self.world = world or World()
        self.session = session
        self.objective = builder.objective() or CrossEntropy()
        self.batches = Batches(self._fetch, self.machine.device)
        self.parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.scale = 1.0  # a further factor on the learning rate, which an observer asked for

    @functools.cached_property
    def _forward(self) -> nn.Module:
        """The objective of the model; where processes share the work, so that gradients are averaged in the backward pass."""
        shared = self.world.size > 1 and bool(self.parameters)
        objective = _ObjectiveOfModel(self.model, self.net, self.objective, anchored=shared)
        if not shared:
            return objective
        wrapped = DistributedDataParallel(objective, find_unused_parameters=True)
        wrapped.broadcast_buffers = False  # each process computes its own; as an argument torch warns of it from 2.13 on
        return wrapped

    def step(self, number: int, progress: float, stop: bool = False, end: bool = False) -> StepResult:
        """Do one optimizer step.

        Args:
            number: how many steps were done before.
            progress: share of the budget that is used in the middle of this step, for the schedule.
            stop: whether this process was asked to stop; the result says whether any was.
            end: whether an observer asked for the end of the training, likewise.

        Raises:
            EngineError: the loss or a gradient is not finite; nothing was updated.
        """
        began = time.perf_counter()
        micro_batches = self._micro_batches(number)
        if self.builder.updates == 1:
            return self._update_once(number, micro_batches, progress, stop, end, began)
        kept = [self.batches.take(rows) for rows in micro_batches]
        results = [
            self._update_once(number, micro_batches, progress, stop, end, began, kept) for _ in range(self.builder.updates)
        ]
        return _together(results)

    def _update_once(
        self,
        number: int,
        micro_batches: list[np.ndarray],
        progress: float,
        stop: bool,
        end: bool,
        began: float,
        kept: Sequence[TensorBatch | None] = (),
    ) -> StepResult:
        """Learn once from the micro-batches' examples, which are made now or `kept` from the step's first update."""
        parts: list[_Part] = []
        coming = [*micro_batches[1:], self._micro_batches(number + 1)[0]]
        for index, rows in enumerate(micro_batches):
            last = index == len(micro_batches) - 1
            with contextlib.nullcontext() if last else self._without_exchange():
                batch = kept[index] if kept else self.batches.take(rows)
                parts += self._learn(number, rows, batch, coming[index])
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        sums, metrics, norm = self._read(parts, gradients)
        loss_sum, n_targets, stopping, ended, metrics = self._sum(sums, stop, end, metrics)
        rate = self.optimization.set_progress(progress, self.scale) if self.optimization else 0.0
        if n_targets and self.optimization:
            norm /= n_targets / self.world.size  # DistributedDataParallel has divided the gradient by the processes
            self._update(number, gradients, norm, loss_sum, n_targets / self.world.size)
        else:
            norm = 0.0
            for optimizer in self.optimization.optimizers if self.optimization else ():
                optimizer.zero_grad(set_to_none=True)
        return StepResult(
            loss=loss_sum / n_targets if n_targets else 0.0,
            grad_norm=norm,
            learning_rate=rate,
            seconds=time.perf_counter() - began,
            stop=stopping,
            ended=ended,
            metrics={name: value / n_targets for name, value in metrics.items()} if n_targets else {},
        )

    def _read(self, parts: list[_Part], gradients: list[Tensor]) -> tuple[Tensor, dict[str, float], float]:
        """Return the sums of loss and targets (2,), those of the metrics, and the norm of the gradient of the summed loss.

        This is the step's one wait for the device: it computes the update while the next step's examples are made.
        """
        values = [part.values for part in parts]
        if gradients and self.optimization:
            values.append(nn.utils.get_total_norm(gradients).to(self.machine.wide).reshape(1))
        read = torch.cat(values).tolist() if values else []
        sums, metrics = torch.zeros(2, dtype=torch.float64), dict[str, float]()
        for part in parts:
            loss, count, *more = read[: len(part.values)]
            del read[: len(part.values)]
            if count:  # otherwise there is no loss, whatever the objective has computed
                sums += torch.tensor([loss, count], dtype=torch.float64)
                for name, value in zip(part.names, more, strict=True):
                    metrics[name] = metrics.get(name, 0.0) + value
        return sums, metrics, read[0] if read else 0.0

    def _sum(
        self, sums: Tensor, stop: bool, end: bool, metrics: dict[str, float]
    ) -> tuple[float, float, bool, bool, dict[str, float]]:
        """Add up over the processes: loss, targets, wishes to stop and to end, the learning rate's scale, metrics."""
        names = sorted(metrics)
        if self.options.batch_size < self.world.size:  # a process without examples does not know the names
            names = list(filter(None, self.world.of_first(",".join(names)).split(",")))
        own = math.log(self.scale) if self.world.is_first else 0.0  # only the first process has observers
        more = [float(stop), float(end), own, *(metrics.get(name, 0.0) for name in names)]
        values = torch.cat([sums, torch.tensor(more, dtype=torch.float64)])
        self.world.sum(values)
        loss, count, stopping, ended, scale, *rest = values.tolist()
        self.scale = math.exp(scale) if scale else 1.0
        return loss, count, stopping > 0, ended > 0, dict(zip(names, rest, strict=True))

    def _micro_batches(self, number: int) -> list[np.ndarray]:
        """Return the examples of each micro-batch of this process; one that is empty where it has none, to take part."""
        first = number * self.options.batch_size
        indices = np.arange(first, first + self.options.batch_size, dtype=np.int64)
        mine = np.array_split(indices, self.world.size)[self.world.rank]
        n_parts = max(1, min(self.options.gradient_accumulation, len(mine)))
        return [rows for rows in np.array_split(mine, n_parts) if len(rows)] or [mine]

    @contextlib.contextmanager
    def _without_exchange(self) -> Iterator[None]:
        """Keep gradients in this process until the last micro-batch."""
        with self._forward.no_sync() if isinstance(self._forward, DistributedDataParallel) else contextlib.nullcontext():
            yield

    def _fetch(self, rows: np.ndarray) -> TensorBatch | None:
        """Return the examples with these indices (B,) on the device; None where they teach nothing."""
        examples = self.build(rows) if len(rows) else None
        if examples is None or (type(self.objective) is CrossEntropy and not bool((examples.targets != IGNORED).any())):
            return None
        return on_device(examples, self.machine)

    def build(self, rows: np.ndarray) -> Batch:
        """Return the examples with these indices (B,)."""
        if not self.builder.needs_policy:
            return _batch(self.builder, "build", self.builder.build(self.tokens, rows, self.options.seed))
        if self.session is None:
            raise EngineError("This builder writes its examples with the model, and needs a session.", code="no-session")
        session = self.session(self.model)
        self.model.eval()
        with torch.no_grad():
            return _batch(self.builder, "roll_out", self.builder.roll_out(self.tokens, rows, self.options.seed, session))

    def alike(self, steps: int) -> tuple[TensorBatch | None, float]:
        """Return a micro-batch of the shape that most of those of the first steps have, and the share of these."""
        found = [self._fetch(rows) for number in range(steps) for rows in self._micro_batches(number)]
        batches = [batch for batch in found if batch is not None]
        shapes = Counter((batch.inputs.shape, batch.segments is None) for batch in batches)
        if not shapes:
            return None, 0.0
        ((shape, number),) = shapes.most_common(1)
        usual = next(batch for batch in batches if (batch.inputs.shape, batch.segments is None) == shape)
        return usual, number / len(batches)

    def _learn(self, number: int, rows: np.ndarray, batch: TensorBatch | None, coming: np.ndarray) -> list[_Part]:
        """Add a micro-batch's gradient, and return what it summed; nothing where it has no target. `coming` is learned next."""
        if batch is None:
            if isinstance(self._forward, DistributedDataParallel):
                self._forward(None)[0].backward()
            return []
        # By the first example and not by the process: the same micro-batches draw the same in any number of processes.
        self.machine.seed(_mix(self.options.seed, number, int(rows[0]) - number * self.options.batch_size))
        if self.model.training != self.objective.dropout:  # going through all modules takes a twentieth of a small step
            self.model.train(self.objective.dropout)
        if self.optimization is None:
            return self._count(batch)
        total, loss, count, names, values = self._forward(batch)
        if total.requires_grad:
            with self._built_ahead(coming):
                total.backward()
        return [_Part(names, torch.stack([loss.to(self.machine.wide), count.to(self.machine.wide), *values]))]

    def _built_ahead(self, rows: np.ndarray) -> contextlib.AbstractContextManager[None]:
        """Build examples beside what is done within, unless they depend on what is learned before, or are not new."""
        alone = self.builder.needs_policy or self.builder.updates > 1
        return contextlib.nullcontext() if alone else self.batches.ahead(rows)

    def _count(self, batch: TensorBatch) -> list[_Part]:
        with torch.no_grad():
            loss = loss_of(self.objective, self.net, batch)
            values = torch.tensor([float(loss.total), float(loss.count)], dtype=torch.float64)
            if values[1]:
                self.model.learn_by_counting(batch.inputs, batch.targets, batch.segments)
        return [_Part((), values)]

    def _update(self, number: int, gradients: list[Tensor], norm: float, loss_sum: float, n_targets: float) -> None:
        """Change the parameters by the gradient of the mean loss, clipped; let go of the gradients."""
        assert self.optimization is not None
        if not np.isfinite(norm) or not np.isfinite(loss_sum):
            raise self._not_finite(number, loss_sum)
        if norm == 0:  # equal rewards, or pairs beyond a hinge: neither momentum nor weight decay moves what is right
            for optimizer in self.optimization.optimizers:
                optimizer.zero_grad(set_to_none=True)
            return
        clip = self.options.grad_clip
        scale = min(1.0, clip / (norm + 1e-12)) if clip else 1.0
        torch._foreach_mul_(gradients, scale / n_targets)
        for optimizer in self.optimization.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

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


def _together(updates: Sequence[StepResult]) -> StepResult:
    """Return the result of a step of several updates: means of the losses and metrics, and else what the last one said."""
    last = updates[-1]
    names = last.metrics.keys()
    return replace(
        last,
        loss=sum(update.loss for update in updates) / len(updates),
        metrics={name: sum(update.metrics.get(name, 0.0) for update in updates) / len(updates) for name in names},
        stop=any(update.stop for update in updates),
        ended=any(update.ended for update in updates),
    )


class _ObjectiveOfModel(nn.Module):
    """A model with its objective: what DistributedDataParallel wraps, so that every parameter's use lies within its forward.

    Args:
        model, net, objective: as said.
        anchored: whether to bring a parameter of its own, which is always used: DistributedDataParallel waits for at least one
            gradient in each process, also where this process has nothing to learn.
    """

    def __init__(self, model: Model, net: ModelNet, objective: Objective, *, anchored: bool) -> None:
        super().__init__()
        self.model = model
        self.net = net
        self.objective = objective
        self.anchor = nn.Parameter(torch.zeros((), device=net.machine.device)) if anchored else None

    def forward(self, batch: TensorBatch | None) -> tuple[Any, ...]:
        """Return the sum to differentiate (auxiliary losses included), and detached: loss, count, metrics' names and sums."""
        nothing = torch.zeros((), device=self.net.machine.device)
        if self.anchor is not None:
            nothing = nothing + 0.0 * self.anchor
        if batch is None:
            return (nothing,)
        found = loss_of(self.objective, self.net, batch)
        count = torch.as_tensor(found.count, device=nothing.device).detach()
        auxiliary = self.net.pop_auxiliary()
        total = nothing + found.total + sum(auxiliary.values(), torch.zeros_like(nothing)) * count
        if type(self.objective) is not CrossEntropy and not bool(count):
            total = nothing  # such a loss may be no number, or hang on no parameter
        metrics = {**found.metrics, **{name: loss.detach() * count for name, loss in auxiliary.items()}}
        wide = self.net.machine.wide
        values = [torch.as_tensor(value, dtype=wide, device=nothing.device).detach() for value in metrics.values()]
        return total, found.total.detach(), count, tuple(metrics), values


def loss_of(objective: Objective, net: ModelNet, batch: TensorBatch) -> Loss:
    """Return the loss of a batch.

    Raises:
        EngineError: the objective returns something else.
    """
    found = objective.loss(net, batch)
    if not isinstance(found, Loss):
        raise wrong_return(objective, "loss", "a pentad.Loss", found)
    return found


def _batch(builder: ExampleBuilder, method: str, found: object) -> Batch:
    if not isinstance(found, Batch):
        raise wrong_return(builder, method, "a pentad.Batch", found)
    return found


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
