"""The main job: text -> tokens -> examples -> training -> checkpoints -> score -> samples.

from pentad import Recipe, run

result = run(Recipe(data="my.txt"))
print(result.bits_per_byte)
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pentad.config.front_end import front_end
from pentad.config.options import changed, parse, to_dict
from pentad.config.recipe import Choice, Recipe
from pentad.config.tables import MachineOptions
from pentad.contracts.observer import Observers, Plan, Preparation, RunObserver, RunResult
from pentad.data.preparation import Kept
from pentad.registry.catalogue import Catalogue
from pentad.registry.resolving import Resolved, resolve
from pentad.runs.fitting import shapes_after_a_step
from pentad.runs.folder import RunDirectory, new_run_path, refuse_used
from pentad.runs.initial import save_initial
from pentad.runs.newest import newest_checkpoint
from pentad.runs.records import METRICS
from pentad.runs.saved_run import load_tokenizer, restore_model
from pentad.runs.start import inherit
from pentad.system.errors import EngineError, RunDone, UsageError, to_resume
from pentad.system.machine import available_memory
from pentad.system.processes import is_first_process
from pentad.train.assembly import Earlier, assemble
from pentad.train.estimate import Estimate
from pentad.train.finder import RateSweep, sweep
from pentad.train.job import Job, computing_of, facts_of, plan_of
from pentad.train.learner import make_optimization
from pentad.train.loop import train
from pentad.train.trainer import named_parameters

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

__all__ = ["available_memory", "find_lr", "plan", "resume", "run"]


def plan(
    recipe: Recipe,
    *,
    catalogue: Catalogue | None = None,
    out: Path | str | None = None,
    observers: Sequence[RunObserver] = (),
) -> Plan:
    """Say what `run` would do, without training; the tokenizer and the token shards that it makes are kept for the run.

    Args and errors: as for `run`.
    """
    folder = _new_folder(out)
    catalogue = catalogue or Catalogue()
    recipe, start = inherit(recipe, catalogue)
    job = assemble(resolve(recipe, catalogue), catalogue, Observers(observers), start=start, only_planned=True)
    return dataclasses.replace(plan_of(job, folder), only_planned=True)


def find_lr(
    recipe: Recipe,
    *,
    catalogue: Catalogue | None = None,
    out: Path | str | None = None,
    observers: Sequence[RunObserver] = (),
) -> RateSweep:
    """Try rising learning rates on the run that a recipe describes, and suggest one (Smith 2017); nothing is trained for keeps.

    Args:
        recipe, catalogue, observers: as for `run`.
        out: a new or empty folder, for the curve as `learning-rates.json`; None to save nothing.

    Raises:
        UsageError: as for `run`, or the model learns by counting.
        EngineError: as for `run`.
    """
    folder = _new_folder(out)
    catalogue = catalogue or Catalogue()
    recipe, start = inherit(recipe, catalogue)
    # Compiling would take longer than the test.
    job = assemble(resolve(recipe, catalogue), catalogue, Observers(observers), start=start, only_planned=True)
    found = sweep(job)
    if folder is not None and job.world.is_first:
        found.save(folder)
    return found


def run(
    recipe: Recipe,
    *,
    catalogue: Catalogue | None = None,
    out: Path | str | None = None,
    observers: Sequence[RunObserver] | None = None,
) -> RunResult:
    """Train a model by a recipe, score it and sample from it.

    Args:
        recipe: every choice.
        catalogue: what is installed; None to look.
        out: a new or empty folder for the run; None for a new one below runs/.
        observers: told what happens; `()` for nobody. None shows the run in a terminal or a notebook, where a front end such as
            pentad-cli is installed, and is quiet elsewhere.

    Raises:
        UsageError: the recipe cannot be carried out: a name, an option, the text, the folder.
        EngineError: it failed on the way: a full disk, a loss that is not finite.
        Interrupted: Ctrl-C or SIGTERM; a checkpoint is saved.
    """
    folder = _new_folder(out)
    catalogue = catalogue or Catalogue()
    with contextlib.ExitStack() as held:
        told = held.enter_context(_told(observers))
        recipe, start = inherit(recipe, catalogue)
        job = assemble(resolve(recipe, catalogue), catalogue, told, start=start)
        # The name has the time in it, which need not be the same in every process.
        folder = folder or Path(job.world.of_first(str(new_run_path(job.resolved.recipe.choice("model").name))))
        if job.world.is_first:
            weights = functools.partial(save_initial, job.initial) if job.initial else None
            made = RunDirectory.create(folder, job.resolved, job.prepared.tokenizer_folder, facts_of(job), weights)
            job.record_in(held.enter_context(made))
        return train(job, folder)


@contextlib.contextmanager
def _told(observers: Sequence[RunObserver] | None) -> Iterator[Observers]:
    """Give the observers of a run; None stands for the display of the front end, if there is one and somebody looks."""
    front = front_end() if observers is None else None
    display = front.display() if front else None
    if display is None:
        yield Observers(observers or ())
        return
    with display as shown:
        yield Observers([shown])


def _new_folder(out: Path | str | None) -> Path | None:
    """Say before the work starts that the folder is taken."""
    if out is None:
        return None
    refuse_used(Path(out))
    return Path(out)


def resume(
    folder: Path | str,
    *,
    catalogue: Catalogue | None = None,
    observers: Sequence[RunObserver] | None = None,
    steps: int | None = None,
    budget: str | None = None,
    optimizer: Mapping[str, Any] | None = None,
    machine: Mapping[str, Any] | None = None,
) -> RunResult:
    """Go on with a run from its newest whole checkpoint, bit for bit as if it had not been stopped.

    Args:
        folder: the run's folder.
        catalogue, observers: as for `run`.
        steps, budget: a new end, for a run that is done or shall go further; the schedule is fitted to it.
        optimizer: options of the run's optimizer that hold from here on (`{"lr": 1e-4}`), for a run that diverged. The recipe
            is changed, and a line of kind `change` in metrics.jsonl says at which step, from what and to what.
        machine: options of the table `[machine]` that hold from here on (`{"device": "cpu"}`), recorded likewise; on another
            kind of machine or in another precision the run goes on with another rounding.

    The run's ways to compute hold on the machine where they were chosen. On another one they are chosen anew, within what the
    recipe asks for: the plan's warnings and metrics.jsonl say so, and engine.json says how it computes from there on.

    Raises:
        UsageError: there is no run, the optimizer or `[machine]` has no such option, or the run is past the new end.
        RunDone: it is done, and no new end is given.
        EngineError: the run is damaged or in use, its checkpoints are gone, or its text or a plugin is missing or has changed.
        Interrupted: as for `run`.
    """
    folder = Path(folder)
    catalogue = catalogue or Catalogue()
    directory = RunDirectory.open(folder)
    # Held from before the first look at the checkpoints: another process may be writing them.
    with directory.lock() if is_first_process() else contextlib.nullcontext(), _told(observers) as told:
        before = directory.resolve(catalogue)
        resolved = _with_new_end(_with_changes(before, optimizer or {}, machine or {}), steps, budget)
        job = assemble(resolved, catalogue, told, _earlier(directory, resolved))
        _restore(job, directory, before, new_end=steps is not None or budget is not None)
        if job.world.is_first:
            job.record_in(directory)
        if not job.world.agree(job.state.step):
            raise EngineError(
                f"Every process must go on from the same checkpoint of {folder}; this one found step {job.state.step}.",
                "Put the run where all machines see the same files, and try again.",
                code="processes-disagree",
            )
        scored = directory.is_scored(job.state.step)
        if job.progress() >= 1 and scored:
            raise RunDone(
                f"{folder} is done: {job.state.step} steps.",
                f"To go further: {to_resume(folder)} --steps {2 * job.state.step}",
            )
        if job.run is not None:
            job.run.cut_back(job.state.step, keep_final=scored)  # first, as it gives the records files of their own
            _record_changes(job.run, job, before)
            _record_machine(job.run, job)
        return train(job, folder)


def _with_changes(resolved: Resolved, optimizer: Mapping[str, Any], machine: Mapping[str, Any]) -> Resolved:
    """Return the recipe with other options of its optimizer and of the machine."""
    if machine:
        table = parse(MachineOptions, {**to_dict(resolved.recipe.machine), **machine}, "machine")
        resolved = dataclasses.replace(resolved, recipe=resolved.recipe.replace(machine=table))
    if not optimizer:
        return resolved
    offer, name = resolved.offers["optimizer"], resolved.recipe.choice("optimizer").name
    options = parse(offer.options, {**to_dict(resolved.options["optimizer"]), **optimizer}, "optimizer")
    recipe = resolved.recipe.replace(optimizer=Choice(name, **to_dict(options)))
    return dataclasses.replace(resolved, recipe=recipe, options={**resolved.options, "optimizer": options})


def _record_changes(run: RunDirectory, job: Job, before: Resolved) -> None:
    """Write what this resumption changes into the recipe, and the step from which it holds into metrics.jsonl."""
    # The stages stay as engine.json says that they were made, also where their options were upgraded to be read.
    recipe = run.recipe().replace(training=job.resolved.recipe.training, machine=job.resolved.recipe.machine)
    changes = {
        "optimizer": _changes(before.options["optimizer"], job.resolved.options["optimizer"]),
        "machine": _changes(before.recipe.machine, job.resolved.recipe.machine),
    }
    if changes["optimizer"]:
        mine = recipe.choice("optimizer")
        options = {**mine.options, **{key: change["to"] for key, change in changes["optimizer"].items()}}
        recipe = recipe.replace(optimizer=Choice(mine.name, **options))
    if any(changes.values()):
        tables = {table: change for table, change in changes.items() if change}
        run.append(METRICS, {"kind": "change", "step": job.state.step, **tables})
    run.write_recipe(recipe)


def _record_machine(run: RunDirectory, job: Job) -> None:
    """Write into engine.json, and as a line into metrics.jsonl, how the run computes from here on, where that has changed."""
    found, now = run.facts(), computing_of(job)
    old = {name: found.get(name) for name in now}
    if old == now:
        return
    changed = {name: {"from": old[name], "to": now[name]} for name in now if old[name] != now[name]}
    run.append(METRICS, {"kind": "change", "step": job.state.step, "computing": changed})
    run.write_facts({**found, **now, "estimate": dataclasses.asdict(job.cost)})


def _changes(before: Any, after: Any) -> dict[str, dict[str, Any]]:
    """Return the options that differ, each with its value `from` and `to`."""
    old, new = to_dict(before), to_dict(after)
    return {key: {"from": old.get(key), "to": new[key]} for key in new if new[key] != old.get(key)}


def _with_new_end(resolved: Resolved, steps: int | None, budget: str | None) -> Resolved:
    if steps is None and budget is None:
        return resolved
    # Whoever names a new end wants to get there, however often the text is read on the way.
    training = changed(resolved.recipe.training, steps=steps, budget=budget, max_epochs=None)
    recipe = resolved.recipe.replace(training=training)
    recipe.budget()
    return dataclasses.replace(resolved, recipe=recipe)


def _refuse_past_end(job: Job, directory: RunDirectory) -> None:
    """Make sure that a new end lies ahead: a run that has trained for longer cannot be made one that has not."""
    state, limit = job.state, job.seconds_allowed
    past = state.step > job.steps if job.steps is not None else state.seconds > limit
    if past:
        end = f"{job.steps} steps" if job.steps is not None else f"{limit:.0f} s of training"
        raise UsageError(
            f"A new end must lie ahead of the run's newest checkpoint, after {state.step} steps and {state.seconds:.0f} s; "
            f"found {end}.",
            f"To go further: {to_resume(directory.path)} --steps {2 * state.step}",
            code="end-passed",
        )


def _earlier(directory: RunDirectory, resolved: Resolved) -> Earlier:
    kept = Kept(
        tokenizer=load_tokenizer(directory, resolved),
        tokenizer_folder=directory.path / "tokenizer",
        tokenizer_fingerprint=directory.fact(str, "tokenizer"),
        data_fingerprint=directory.fact(str, "data", "fingerprint"),
    )
    cost = Estimate(
        flops_per_step=directory.fact(float, "estimate", "flops_per_step"),
        seconds_per_step=directory.fact(float, "estimate", "seconds_per_step"),
        memory_bytes=directory.fact(int, "estimate", "memory_bytes"),
    )
    return Earlier(
        folder=directory.path,
        kept=kept,
        cost=cost,
        compiled=directory.fact(bool, "compiled"),
        compiling_seconds=directory.fact(float, "compiling_seconds") if "compiling_seconds" in directory.facts() else 0.0,
        kernels=directory.facts().get("kernels", {}),
        threads=directory.fact(int, "threads"),
    )


def _restore(job: Job, directory: RunDirectory, before: Resolved, *, new_end: bool) -> None:
    """Put the newest whole checkpoint into the job; before the first one it starts anew."""
    newest = newest_checkpoint(directory.path)
    for problem in newest.problems:
        job.observer.on_preparation(Preparation(what=f"Skipping a checkpoint: {problem}"))
    checkpoint = newest.checkpoint
    if checkpoint is None:
        job.observer.on_preparation(Preparation(what="No checkpoint was saved yet: starting from step 0"))
        return
    if checkpoint.state.tokenizer != job.prepared.tokenizer_fingerprint:
        raise EngineError(f"{checkpoint.path} was made with another tokenizer.", "Use a copy of the run.", code="run-changed")
    restore_model(directory, job.resolved, checkpoint, job.model, job.left_out)
    if job.optimization is not None:
        named = named_parameters(job.model)
        changed = job.resolved.options["optimizer"] != before.options["optimizer"]
        old = make_optimization(before, named).optimizers if changed else None

        def like(copy: Callable[[nn.Parameter], nn.Parameter]) -> Sequence[Optimizer]:
            copies = [dataclasses.replace(each, parameter=copy(each.parameter)) for each in named]
            return make_optimization(job.resolved, copies).optimizers

        checkpoint.restore_optimizers(job.optimization.optimizers, old, shapes_after_a_step(like))
    checkpoint.restore_training_weights(job.model)
    stopped = "" if new_end else checkpoint.state.stopped
    job.state = dataclasses.replace(checkpoint.state, steps=job.steps, stopped=stopped)
    job.trainer.scale = checkpoint.state.lr_scale
    if new_end:
        _refuse_past_end(job, directory)
