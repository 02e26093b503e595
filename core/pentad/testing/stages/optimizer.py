"""The contract of optimizers, as checks on a model of a few hundred parameters."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pentad.config.options import describe
from pentad.contracts.model import Role
from pentad.contracts.optimizer import NamedParameter, Optimization, OptimizerOptions
from pentad.testing.advice import AdviceConformance
from pentad.testing.conformance import require

_VOCAB_SIZE, _WIDTH = 11, 8

_ROLES: dict[str, Role] = {
    "embedding.weight": "embedding",
    "inner.weight": "matrix",
    "inner.bias": "vector",
    "outer.weight": "matrix",
    "outer.bias": "vector",
    "head.weight": "head",
}


class OptimizerConformance(AdviceConformance):
    """Checks of an optimizer.

    Attributes:
        steps: steps in which the loss of a small task must fall.
    """

    kind = "optimizer"
    steps: int = 60

    def optimization(self, parameters: Sequence[NamedParameter], **options: Any) -> Optimization:
        """Make the optimization under test."""
        made = self.make(list(parameters), options=options)
        require(isinstance(made, Optimization), f"the factory must return an Optimization, found a {type(made).__name__}")
        return made  # type: ignore[no-any-return]

    def check_every_parameter_is_in_one_group(self) -> None:
        """Each parameter stands in exactly one group of exactly one optimizer."""
        parameters = _parameters(_Small())
        grouped = _grouped(self.optimization(parameters))
        for named in parameters:
            found = sum(parameter is named.parameter for parameter in grouped)
            require(found == 1, f"{named.name} ({named.role}) stands in {found} groups; put it into one")
        require(len(grouped) == len(parameters), "a group holds a tensor that is no parameter of the model")

    def check_every_parameter_moves(self) -> None:
        """A step moves every parameter of every group that has a gradient."""
        parameters = _parameters(_Small())
        optimization = self.optimization(parameters)
        before = {named.name: named.parameter.detach().clone() for named in parameters}
        for number in range(3):
            _random_gradients(parameters, number)
            _step(optimization, 1.0)
        grouped = _grouped(optimization)
        for named in parameters:
            if any(parameter is named.parameter for parameter in grouped):
                moved = not torch.equal(named.parameter, before[named.name])
                require(moved, f"{named.name} ({named.role}) has gradients but is where it was after three steps")
                require(
                    bool(named.parameter.isfinite().all()), f"{named.name} ({named.role}) is NaN or infinite after three steps"
                )

    def check_obeys_the_learning_rate(self) -> None:
        """At a learning rate of 0 nothing moves: the engine sets `lr` of each group to its highest value times the schedule."""
        parameters = _parameters(_Small())
        optimization = self.optimization(parameters)
        for optimizer in optimization.optimizers:
            require(all("lr" in group for group in optimizer.param_groups), "every group needs its learning rate under 'lr'")
        before = [named.parameter.detach().clone() for named in parameters]
        _random_gradients(parameters, 0)
        _step(optimization, 0.0)
        for named, old in zip(parameters, before, strict=True):
            require(torch.equal(named.parameter, old), f"{named.name} moves at a learning rate of 0; use the group's 'lr'")

    def check_lr_is_the_one_dial(self) -> None:
        """Where there is an option `lr`, twice of it is twice the learning rate of every group."""
        known = {spec.name: spec.default for spec in describe(self.options_type())}
        if not isinstance(known.get("lr"), float):
            return
        lr = known["lr"]
        once, twice = (_rates(self.optimization(_parameters(_Small()), lr=rate)) for rate in (lr, 2 * lr))
        same = len(once) == len(twice) and all(math.isclose(2 * one, two) for one, two in zip(once, twice, strict=True))
        require(same, f"with twice the lr the groups' rates are {twice}, and were {once}; make each a ratio of lr")

    def check_lowers_the_loss(self) -> None:
        """The loss of a small task falls."""
        model = _Small()
        optimization = self.optimization(_parameters(model))
        losses = [_train(model, optimization, step, self.steps) for step in range(self.steps)]
        require(math.isfinite(losses[-1]), f"the loss becomes {losses[-1]}")
        require(
            losses[-1] < losses[0],
            f"the loss goes from {losses[0]:.3f} to {losses[-1]:.3f} in {self.steps} steps; it must fall",
        )

    def check_state_survives_saving(self) -> None:
        """Training goes on bitwise the same from a saved state: all of it is in `state_dict`, as tensors and plain values."""
        model = _Small()
        optimization = self.optimization(_parameters(model))
        for step in range(4):
            _train(model, optimization, step, 8)
        replica = copy.deepcopy(model)
        restored = self.optimization(_parameters(replica))
        _load(restored, _saved(optimization))
        for step in range(4, 8):
            _train(model, optimization, step, 8)
            _train(replica, restored, step, 8)
        for (name, one), other in zip(model.named_parameters(), replica.parameters(), strict=True):
            require(torch.equal(one, other), f"{name} differs after saving and loading; keep all state in `self.state`")

    def check_saves_before_the_first_step(self) -> None:
        """A state can be saved and loaded before the first step."""
        optimization = self.optimization(_parameters(_Small()))
        model = _Small()
        restored = self.optimization(_parameters(model))
        _load(restored, _saved(optimization))
        _train(model, restored, 0, 8)

    def check_schedule_stays_between_0_and_1(self) -> None:
        """The schedule is a finite factor between 0 and 1 all the way, and not always 0."""
        schedule = self.optimization(_parameters(_Small())).set_progress
        for steps in (1, 7, 1000):
            factors = [schedule((step + 0.5) / steps) for step in range(steps)] + [schedule(0.0), schedule(1.0)]
            wrong = [factor for factor in factors if not (math.isfinite(factor) and 0 <= factor <= 1)]
            require(not wrong, f"the schedule must stay between 0 and 1, found {wrong[:1]}")
            require(max(factors) > 0, f"the schedule is 0 at each of {steps} steps")

    def check_set_progress_starts_afresh(self) -> None:
        """`set_progress` sets the rates from the highest ones, whatever was set before, and obeys the further factor."""
        optimization = self.optimization(_parameters(_Small()))
        for share in (0.1, 0.5, 0.9):
            factor = optimization.set_progress(share)
            rates = _rates(optimization)
            optimization.set_progress(0.7)
            again = optimization.set_progress(share)
            same = again == factor and _rates(optimization) == rates
            require(same, f"set_progress({share}) gives other rates the second time; start from each group's 'initial_lr'")
            optimization.set_progress(share, 0.25)
            scaled = all(math.isclose(0.25 * rate, found) for rate, found in zip(rates, _rates(optimization), strict=True))
            require(scaled, "set_progress(share, 0.25) must make every learning rate a quarter of what it is without a scale")

    def check_evaluating_gives_the_weights_back(self) -> None:
        """After `evaluating()` every parameter is what it was, bit for bit, also after an error; training goes on the same."""
        model, undisturbed = _Small(), _Small()
        optimization, other = self.optimization(_parameters(model)), self.optimization(_parameters(undisturbed))
        for step in range(6):
            before = _bits(model)
            with optimization.evaluating():
                finite = all(bool(parameter.isfinite().all()) for parameter in model.parameters())
                require(finite, "a parameter is NaN or infinite while it is evaluated")
            try:
                with optimization.evaluating():
                    raise _Interrupted
            except _Interrupted:
                pass
            for name, bits in _bits(model).items():
                message = f"{name} is another one after evaluating(); put a copy back, and do so in a finally"
                require(torch.equal(bits, before[name]), message)
            _train(model, optimization, step, 6)
            _train(undisturbed, other, step, 6)
        for (name, one), two in zip(model.named_parameters(), undisturbed.parameters(), strict=True):
            require(torch.equal(one, two), f"{name} is trained otherwise when evaluating() was used; let it change no state")

    def check_shared_options_hold(self) -> None:
        """Where the options inherit from `OptimizerOptions`, the average and both ways of weight decay are what they say."""
        kind = self.options_type()
        if not (isinstance(kind, type) and issubclass(kind, OptimizerOptions)):
            return
        through = "make the groups with parameter_groups(options, …), or inherit from RateOptions"
        shared = {"average": 0.5, "weight_decay": 0.5, "cautious_weight_decay": True, "weight_decay_schedule": "lr"}
        model, optimization = self._trained(**shared)
        last, judged = _bits(model), _judged(model, optimization)
        for name, bits in judged.items():
            require(not torch.equal(bits, last[name]), f"the average of {name} is the weight itself; {through}")
        replica = copy.deepcopy(model)
        restored = self.optimization(_parameters(replica), **shared)
        _load(restored, _saved(optimization))
        for name, bits in _judged(replica, restored).items():
            require(torch.equal(bits, judged[name]), f"the average of {name} differs after saving and loading")
        plain, _ = self._trained(**{**shared, "cautious_weight_decay": False})
        same = all(torch.equal(bits, last[name]) for name, bits in _bits(plain).items())
        require(not same, f"weight decay is the same when it is cautious; {through}")
        factor = optimization.set_progress(0.75)
        decays = [float(group.get("weight_decay", 0.0)) for group in optimization.groups()]
        falls = all(math.isclose(decay, 0.5 * factor) for decay in decays if decay) and any(decays) == (factor > 0)
        require(falls, f"weight decay must fall with the learning rate to {0.5 * factor:g}, found {decays}; {through}")

    def _trained(self, **options: Any) -> tuple[nn.Module, Optimization]:
        model = _Small()
        optimization = self.optimization(_parameters(model), **options)
        for step in range(6):
            _train(model, optimization, step, 8)
        return model, optimization

    def check_works_without_matrices(self) -> None:
        """A model of vectors only, of an embedding only, of matrices only, or of no parameters is accepted."""
        for roles in (("vector",), ("embedding",), ("matrix",), ("head",), ()):
            parameters = [named for named in _parameters(_Small()) if named.role in roles]
            optimization = self.optimization(parameters)
            _random_gradients(parameters, 0)
            _step(optimization, 1.0)

    def check_a_missing_gradient_is_no_error(self) -> None:
        """A parameter that got no gradient in a step does not stop the others."""
        parameters = _parameters(_Small())
        optimization = self.optimization(parameters)
        _random_gradients(parameters[::2], 0)
        _step(optimization, 1.0)


class _Interrupted(Exception):
    """What goes wrong during an evaluation."""


class _Small(nn.Module):
    """A model with every role, the same on every call, to learn `(5 a + 3) mod 11` from `a`."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(_VOCAB_SIZE, _WIDTH)
        self.inner = nn.Linear(_WIDTH, 2 * _WIDTH)
        self.outer = nn.Linear(2 * _WIDTH, _WIDTH)
        self.head = nn.Linear(_WIDTH, _VOCAB_SIZE, bias=False)
        generator = torch.Generator().manual_seed(5)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.3, generator=generator)

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.embedding(inputs)
        logits: Tensor = self.head(features + self.outer(self.inner(features).relu()))
        return logits


def _parameters(model: nn.Module) -> list[NamedParameter]:
    return [NamedParameter(name=name, role=_ROLES[name], parameter=p) for name, p in model.named_parameters()]


def _grouped(optimization: Optimization) -> list[Tensor]:
    return [p for optimizer in optimization.optimizers for group in optimizer.param_groups for p in group["params"]]


def _rates(optimization: Optimization) -> list[float]:
    return [float(group["lr"]) for group in optimization.groups()]


def _bits(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone().view(torch.int32) for name, parameter in model.named_parameters()}


def _judged(model: nn.Module, optimization: Optimization) -> dict[str, Tensor]:
    with optimization.evaluating():
        return _bits(model)


def _random_gradients(parameters: Sequence[NamedParameter], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for named in parameters:
        named.parameter.grad = torch.randn(named.parameter.shape, generator=generator)


def _step(optimization: Optimization, factor: float) -> None:
    """Step with the learning rates times a factor."""
    for optimizer in optimization.optimizers:
        highest = [group["lr"] for group in optimizer.param_groups]
        for group, lr in zip(optimizer.param_groups, highest, strict=True):
            group["lr"] = lr * factor
        optimizer.step()
        for group, lr in zip(optimizer.param_groups, highest, strict=True):
            group["lr"] = lr


def _train(model: nn.Module, optimization: Optimization, step: int, steps: int) -> float:
    """Take one step on the small task and return the loss before it."""
    inputs = torch.arange(_VOCAB_SIZE)
    loss = nn.functional.cross_entropy(model(inputs), (5 * inputs + 3) % _VOCAB_SIZE)
    for parameter in model.parameters():
        parameter.grad = None
    loss.backward()
    optimization.set_progress((step + 0.5) / steps)
    for optimizer in optimization.optimizers:
        optimizer.step()
    return loss.item()


def _saved(optimization: Optimization) -> list[dict[str, Any]]:
    """Return the optimizers' states as a checkpoint would hold them."""
    states = [copy.deepcopy(optimizer.state_dict()) for optimizer in optimization.optimizers]
    for state in states:
        _require_plain(state, "state_dict()")
    return states


def _load(optimization: Optimization, states: Sequence[dict[str, Any]]) -> None:
    for optimizer, state in zip(optimization.optimizers, states, strict=True):
        optimizer.load_state_dict(state)


def _require_plain(value: Any, where: str) -> None:
    """Fail unless a value consists of what a checkpoint can hold without pickle."""
    if isinstance(value, dict):
        for key, item in value.items():
            _require_plain(item, f"{where}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            _require_plain(item, f"{where}[{number}]")
    else:
        plain = value is None or isinstance(value, (Tensor, bool, int, float, str))
        require(plain, f"{where} is a {type(value).__name__}; a checkpoint holds tensors, numbers, words, lists and dicts only")
