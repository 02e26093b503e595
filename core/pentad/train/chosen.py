"""What was chosen for a run, and whether its model is compiled.

On a CPU it is compiled before the training, if that will win more time than it takes, and stays so if that is measured to be
faster. On a GPU the first step compiles it.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pentad.config.kernels import Wish
from pentad.config.options import to_dict
from pentad.contracts.observer import Preparation
from pentad.data.preparation import Prepared
from pentad.inference.net import Forward
from pentad.registry.resolving import Resolved
from pentad.speed.compiling import FOLDER, Compiling, TooManyOperationsError, kept_in_cache
from pentad.speed.noted import Speeds
from pentad.speed.racing import CLEARLY
from pentad.system.cache import cache_directory
from pentad.system.errors import EngineError, UsageError, one_line
from pentad.system.machine import Machine, compiler_for, peak_memory
from pentad.train.computing.kept import key_of
from pentad.train.computing.kernels import Kernels
from pentad.train.computing.measuring import race_compiled
from pentad.train.estimate import Estimate
from pentad.train.job import session_of
from pentad.train.learner import Learner, Place
from pentad.train.sizing import compiles_early
from pentad.train.trainer import Trainer

WORTH_COMPILING = {"cuda": 120.0}
"""Seconds of training from which torch.compile wins its own time back: it takes 10 to 60 s and saves a third or more on a GPU.
On a CPU see `Compiling.pays`."""

FIRST_STEPS = 8
"""Steps whose examples are looked at: what most of them have is the shape for which a model is compiled."""

MOST = 0.75
"""Share of the micro-batches that have that shape, at the least, for a model to be compiled unasked."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Chosen:
    """The choices with every size settled, the reasons of those that were advised, the model, and what a step costs.

    Args:
        resolved, sizing, learner, cost, kernels: as said.
        core_share: what the process had of a core while steps were timed, as `CoreShare` has it.
        notes: for the plan.
        forward: the model as it was compiled before the training; None where it was not.
        compiled: whether it was, or would be if this were more than a plan.
        compiling_seconds: what that took.
    """

    resolved: Resolved
    sizing: Mapping[str, str]
    learner: Learner
    cost: Estimate
    kernels: Kernels
    core_share: float = 1.0
    notes: Sequence[str] = ()
    forward: Forward | None = None
    compiled: bool = False
    compiling_seconds: float = 0.0

    @property
    def wish(self) -> str:
        """What the user says of compiling: auto, on or off."""
        return self.resolved.recipe.machine.compile


def compiled_early(chosen: Chosen, prepared: Prepared, place: Place, speeds: Speeds, seconds: float) -> Chosen:
    """Compile before the training, where that is done and pays; a step then costs less, and there is less time for them.

    Args:
        chosen: for a new run.
        prepared: the text as tokens.
        place: where it is trained.
        speeds: what is noted of the machine.
        seconds: of the training, not compiled.

    Raises:
        EngineError: it fails although the user wants it.
    """
    if not chosen.learner.learns or not speeds.pays_to_compile(seconds):
        return chosen
    found = speeds.compiling()
    if not place.only_planned:
        most = None if chosen.wish == "on" else found.most_operations(seconds)
        chosen, measured = _compiled(chosen, prepared, place, most_operations=most)
        if measured is None:
            return chosen
        found = measured
        speeds.note_compiling(found)
        if chosen.forward is None or (chosen.wish == "auto" and found.faster < 1 / CLEARLY):
            return dataclasses.replace(chosen, forward=None, compiling_seconds=found.seconds)
    cost = chosen.cost
    memory = max(cost.memory_bytes, peak_memory())
    cost = dataclasses.replace(cost, seconds_per_step=cost.seconds_per_step / found.faster, memory_bytes=memory)
    return dataclasses.replace(chosen, cost=cost, compiled=True, compiling_seconds=found.seconds)


def compiled_again(chosen: Chosen, prepared: Prepared, place: Place, *, before: bool, seconds: float) -> Chosen:
    """Compile a run that goes on if it was compiled before; what that takes now is not taken off its budget again.

    Args:
        chosen, prepared, place: as for `compiled_early`.
        before: whether it was.
        seconds: what it took then.
    """
    chosen, options = dataclasses.replace(chosen, compiling_seconds=seconds), chosen.resolved.recipe.machine
    if before and chosen.wish != "off" and compiler_for(place.machine.device) is None:
        note = "The run was compiled and goes on without, as there is no compiler here: numbers are rounded in another way."
        return dataclasses.replace(chosen, notes=[*chosen.notes, note])
    if not compiles_early(options, place.machine, place.world) or not _still_compiled(chosen, place.machine, before):
        return chosen
    chosen, _ = _compiled(chosen, prepared, place, most_operations=None, resumed=True)
    return dataclasses.replace(chosen, compiled=chosen.forward is not None)


def _still_compiled(chosen: Chosen, machine: Machine, before: bool) -> bool:
    """Say whether a run that goes on is compiled: as before, unless this machine cannot or the user says otherwise."""
    wanted = chosen.wish == "on" or (before and chosen.wish != "off")
    return wanted and compiler_for(machine.device) is not None


def compiled_in_first_step(chosen: Chosen, place: Place, seconds: float, before: bool | None = None) -> bool:
    """Say whether the first step compiles a run: where the user says so, or where it wins its own time back.

    Args:
        chosen, place: as for `compiled_early`.
        seconds: of the training.
        before: whether a run that goes on was compiled before, as which it then is; None for a new one.
    """
    device = place.machine.device
    if not chosen.learner.learns or compiles_early(chosen.resolved.recipe.machine, place.machine, place.world):
        return False
    if before is not None:
        return _still_compiled(chosen, place.machine, before)
    if chosen.wish != "auto":
        return chosen.wish == "on"
    return seconds > WORTH_COMPILING.get(device.type, float("inf")) and compiler_for(device) is not None


def refuse_without_compiler(wish: str, machine: Machine) -> None:
    """Make sure that there is a compiler where the user wants to compile.

    Raises:
        UsageError: there is none.
    """
    if wish == "on" and compiler_for(machine.device) is None:
        raise UsageError(
            "--compile on needs a C++ compiler (CPU) or triton (CUDA); found none.",
            "Use --compile auto.",
            code="compiler-missing",
        )


def _compiled(
    chosen: Chosen, prepared: Prepared, place: Place, *, most_operations: int | None, resumed: bool = False
) -> tuple[Chosen, Compiling | None]:
    """Return the same with the compiled model, and what compiling did: None where the model or its examples are not suited.

    Where it fails, or another gradient comes of it, the same is returned without, and that steps are no faster by it.

    Args:
        chosen, prepared, place: as for `compiled_early`.
        most_operations: that the model may have; None where it is compiled whatever comes of it.
        resumed: whether it was compiled before, so that how fast it is does not matter.
    """
    learner, builder, training = chosen.learner, prepared.builder, chosen.resolved.recipe.training
    anyway, began = chosen.wish == "on", time.perf_counter()
    machine = chosen.kernels.machine(place.machine)
    chosen.kernels.tell(learner.model)
    learner = learner.computing(machine)
    session = functools.partial(session_of, machine=machine, prepared=prepared)
    trainer = Trainer(learner.net, None, builder, prepared.train.tokens, training, session=session)
    batch, share = (None, 0.0) if builder.needs_policy else trainer.alike(FIRST_STEPS)
    if share < MOST and not anyway and not resumed:
        return chosen, None
    forward = learner.compiled(replayed=False, most_operations=most_operations)
    if batch is None:  # nothing to learn from yet, so the first step compiles
        return dataclasses.replace(chosen, forward=forward), _NOTHING
    place.observer.on_preparation(Preparation(what="Compiling the model, which takes a minute or so"))
    try:
        with kept_in_cache(_place_in_cache(chosen, prepared, machine)):
            found = race_compiled(trainer, batch, chosen.kernels, forward, chosen.cost.seconds_per_step, quick=resumed)
    except Exception as error:  # a compiler without headers, say: the run goes without
        return _failed(chosen, error), None if _is_too_large(error) else _in_vain(began)
    if found is not None:
        return dataclasses.replace(chosen, forward=forward), found
    what = "compiled, though" if anyway else "not compiled, as"
    note = f"The model is {what} its gradient is another one then."
    return dataclasses.replace(chosen, forward=forward if anyway else None, notes=[*chosen.notes, note]), _in_vain(began)


def _failed(chosen: Chosen, error: Exception) -> Chosen:
    """Return the same without the compiled model, and say why.

    Raises:
        EngineError: the user wants it compiled.
    """
    if chosen.wish == "on":
        raise EngineError(
            f"torch's compiler must be able to compile the model; found that it failed: {one_line(error)}",
            "Use --compile off, or mend the compiler: it needs a C++ compiler with OpenMP, and Python's headers.",
            code="compiling-failed",
        ) from error
    if _is_too_large(error):
        return chosen
    note = f"The model is not compiled, as the compiler failed ({type(error).__name__}); --compile on shows how."
    return dataclasses.replace(chosen, notes=[*chosen.notes, note])


def _is_too_large(error: Exception) -> bool:
    """Say whether compiling was given up, as the model has more operations than pay."""
    return isinstance(getattr(error, "inner_exception", None), TooManyOperationsError)


_NOTHING = Compiling(faster=1.0, seconds=0.0)


def _in_vain(began: float) -> Compiling:
    return Compiling(faster=1.0, seconds=time.perf_counter() - began)


def _place_in_cache(chosen: Chosen, prepared: Prepared, machine: Machine) -> Path:
    """Return where the cache keeps what was compiled for such a model and batch; the compiler looks for which exactly."""
    resolved = chosen.resolved
    training = dataclasses.asdict(resolved.recipe.training)
    sizes = [prepared.vocab_size, *(training[name] for name in ("batch_size", "gradient_accumulation", "context_length"))]
    stages = [stage for stage in ("model", "builder", "adapter") if stage in resolved.offers]
    offers = [(resolved.offers[stage].record.name, to_dict(resolved.options[stage])) for stage in stages]
    kernels = dataclasses.replace(chosen.kernels, speed=1.0).as_json()
    return cache_directory() / FOLDER / key_of(machine, Wish(), offers, kernels, *sizes)
