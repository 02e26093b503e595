"""Each wrong optimizer is caught by the check meant for it, and by no other."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import torch

from pentad import Implementation, NoOptions, Optimization, OptimizerOptions, parameter_groups
from pentad.testing import OptimizerConformance


class Momentum(torch.optim.Optimizer):
    """A plain optimizer with a state; every other one breaks one promise."""

    def __init__(self, parameters, lr=0.05):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    buffer = self.buffer(parameter)
                    buffer.mul_(0.9).add_(parameter.grad)
                    self.move(parameter, buffer, group["lr"])

    def buffer(self, parameter):
        return self.state[parameter].setdefault("buffer", torch.zeros_like(parameter))

    def move(self, parameter, buffer, lr):
        parameter.sub_(buffer, alpha=lr)


class LosesItsState(Momentum):
    def __init__(self, parameters):
        super().__init__(parameters)
        self.buffers = {}

    def buffer(self, parameter):
        return self.buffers.setdefault(parameter, torch.zeros_like(parameter))


class SavesAnObject(Momentum):
    def state_dict(self):
        return {**super().state_dict(), "made_by": type(self)}


class NeverMovesVectors(Momentum):
    def move(self, parameter, buffer, lr):
        if parameter.ndim > 1:
            super().move(parameter, buffer, lr)


class HasALearningRateOfItsOwn(Momentum):
    def move(self, parameter, buffer, lr):
        super().move(parameter, buffer, 0.05)


class Climbs(Momentum):
    def move(self, parameter, buffer, lr):
        super().move(parameter, buffer, -0.1 * lr)


class NeedsEveryGradient(Momentum):
    def step(self):
        if any(parameter.grad is None for group in self.param_groups for parameter in group["params"]):
            raise RuntimeError("no gradient")
        super().step()


class SavesOnlyAfterAStep(Momentum):
    def state_dict(self):
        if not self.state and len(self.param_groups[0]["params"]):
            raise RuntimeError("nothing to save")
        return super().state_dict()


def half(progress):
    return 0.5


def made(optimizer, keep=lambda named: True, schedule=half, empty=False):
    def factory(options, parameters):
        kept = [named.parameter for named in parameters if keep(named)]
        return Optimization(optimizers=[optimizer(kept)] if kept or empty else [], schedule=schedule)

    return factory


def skips_a_parameter(named):
    return named.name != "outer.bias"


def twice(options, parameters):
    kept = [named.parameter for named in parameters]
    return Optimization(optimizers=[Momentum(kept), Momentum(kept[:1])] if kept else [], schedule=half)


class Compounds(Optimization):
    """Multiplies the rates that stand there, and not the highest ones."""

    def set_progress(self, share, scale=1.0):
        for group in self.groups():
            group["lr"] *= 1 - 0.01 * share * scale
        return 1 - 0.01 * share


class IgnoresTheScale(Optimization):
    def set_progress(self, share, scale=1.0):
        return super().set_progress(share)


class Averaged(Optimization):
    """Judges by the mean of the weights and zero; every other one puts back something else."""

    @contextmanager
    def evaluating(self):
        kept = [(p, p.detach().clone()) for group in self.groups() for p in group["params"]]
        self.change(kept)
        try:
            yield
        finally:
            self.put_back(kept)

    @torch.no_grad()
    def change(self, kept):
        for parameter, _ in kept:
            parameter.mul_(0.3)

    @torch.no_grad()
    def put_back(self, kept):
        for parameter, copy in kept:
            parameter.copy_(copy)


class PutsBackByArithmetic(Averaged):
    @torch.no_grad()
    def put_back(self, kept):
        for parameter, _ in kept:
            parameter.div_(0.3)


class ForgetsAfterAnError(Averaged):
    @contextmanager
    def evaluating(self):
        kept = [(p, p.detach().clone()) for group in self.groups() for p in group["params"]]
        self.change(kept)
        yield
        self.put_back(kept)


class CountsEvaluations(Averaged):
    """Changes what the next step does."""

    @torch.no_grad()
    def put_back(self, kept):
        super().put_back(kept)
        for optimizer in self.optimizers:
            for entries in optimizer.state.values():
                entries["buffer"].zero_()


def of_class(optimization):
    return lambda options, parameters: optimization(
        optimizers=[Momentum([named.parameter for named in parameters])] if parameters else [], schedule=half
    )


def failures(factory, options=NoOptions):
    record = Implementation(name="wrong", summary="", factory=factory, options=options)
    kit = type("Kit", (OptimizerConformance,), {"implementation": record})()
    return {check: result.note for check in kit.checks() if (result := kit.run(check)).outcome != "passed"}


def test_a_right_optimizer_passes():
    assert failures(made(Momentum)) == failures(of_class(Averaged)) == {}


@pytest.mark.parametrize(
    ("factory", "check"),
    [
        (made(Momentum, keep=skips_a_parameter), "every_parameter_is_in_one_group"),
        (twice, "every_parameter_is_in_one_group"),
        (made(NeverMovesVectors), "every_parameter_moves"),
        (made(HasALearningRateOfItsOwn), "obeys_the_learning_rate"),
        (made(Climbs), "lowers_the_loss"),
        (made(LosesItsState), "state_survives_saving"),
        (made(SavesOnlyAfterAStep), "saves_before_the_first_step"),
        (made(Momentum, schedule=lambda progress: 1.5 - progress), "schedule_stays_between_0_and_1"),
        (made(Momentum, schedule=lambda progress: 0.1 / progress if progress else 0.0), "schedule_stays_between_0_and_1"),
        (made(Momentum, empty=True), "works_without_matrices"),
        (made(NeedsEveryGradient), "a_missing_gradient_is_no_error"),
        (of_class(Compounds), "set_progress_starts_afresh"),
        (of_class(IgnoresTheScale), "set_progress_starts_afresh"),
        (of_class(PutsBackByArithmetic), "evaluating_gives_the_weights_back"),
        (of_class(ForgetsAfterAnError), "evaluating_gives_the_weights_back"),
        (of_class(CountsEvaluations), "evaluating_gives_the_weights_back"),
    ],
)
def test_a_wrong_optimizer_is_caught_by_the_check_meant_for_it(factory, check):
    assert list(failures(factory)) == [check]


def test_a_state_that_only_pickle_could_hold_is_caught():
    found = failures(made(SavesAnObject))
    assert "made_by" in found["state_survives_saving"]
    assert set(found) == {"state_survives_saving", "saves_before_the_first_step"}


@dataclass(frozen=True, kw_only=True)
class OptionsOfBytes:
    names: tuple[str, ...] = field(default=(b"a",))


def test_options_that_do_not_survive_json_are_caught():
    assert list(failures(made(Momentum), OptionsOfBytes)) == ["options_survive_json"]


def without(*names):
    """Make an optimizer of torch that knows nothing of some of what its groups should say."""

    def factory(options, parameters):
        groups = parameter_groups(options, parameters)
        for group in groups:
            for name in names:
                group.pop(name)
        optimizers = [torch.optim.AdamW(groups, lr=options.lr)] if groups else []
        return Optimization(optimizers=optimizers, schedule=half)

    return factory


def test_an_optimizer_that_has_the_shared_options_passes():
    assert failures(without(), OptimizerOptions) == {}


@pytest.mark.parametrize("name", ["average", "cautious_weight_decay", "weight_decay_schedule"])
def test_an_option_that_is_shared_and_does_nothing_is_caught(name):
    found = failures(without(name), OptimizerOptions)
    assert list(found) == ["shared_options_hold"] and "parameter_groups" in found["shared_options_hold"]


def test_messages_tell_what_to_change():
    assert (
        "outer.bias (vector) stands in 0 groups"
        in failures(made(Momentum, keep=skips_a_parameter))["every_parameter_is_in_one_group"]
    )
    assert "self.state" in failures(made(LosesItsState))["state_survives_saving"]
