"""The hooks that a plugin may implement. Each is asked once and returns a list of light records.

from pentad import Implementation, hookimpl

@hookimpl
def engine_samplers():
    return [Implementation(name="coin", summary="Toss a coin.", factory="my_package.coin:Coin")]

A hook may get arguments (`catalogue.HOOK_ARGUMENTS`); what does not name them is called without. A hook that will go says what
to use instead, `@hookspec(warn_on_impl=DeprecationWarning("…"))`, and `engine plugins` shows it beside those who implement it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from pentad.registry.records import (
    Adapter,
    Command,
    Corpus,
    Evaluator,
    Executor,
    Format,
    Implementation,
    Observer,
    Reader,
    Reward,
)

hookspec = pluggy.HookspecMarker("pentad")
hookimpl = pluggy.HookimplMarker("pentad")


@hookspec
def engine_tokenizers() -> Sequence[Implementation]:
    """Return the tokenizers that this plugin offers."""
    raise NotImplementedError


@hookspec
def engine_example_builders() -> Sequence[Implementation]:
    """Return the example builders that this plugin offers."""
    raise NotImplementedError


@hookspec
def engine_models() -> Sequence[Implementation]:
    """Return the models that this plugin offers."""
    raise NotImplementedError


@hookspec
def engine_optimizers() -> Sequence[Implementation]:
    """Return the optimizers that this plugin offers."""
    raise NotImplementedError


@hookspec
def engine_samplers() -> Sequence[Implementation]:
    """Return the samplers that this plugin offers."""
    raise NotImplementedError


@hookspec
def engine_corpora() -> Sequence[Corpus]:
    """Return the named texts that `--data` accepts beside files."""
    raise NotImplementedError


@hookspec
def engine_readers() -> Sequence[Reader]:
    """Return the file formats and compressions that `--data` accepts beside the built-in ones."""
    raise NotImplementedError


@hookspec
def engine_observers() -> Sequence[Observer]:
    """Return the observers that a run can report to."""
    raise NotImplementedError


@hookspec
def engine_commands() -> Sequence[Command]:
    """Return the commands that this plugin adds to `engine`."""
    raise NotImplementedError


@hookspec
def engine_executors() -> Sequence[Executor]:
    """Return the ways of carrying out many runs: on this machine, over a cluster."""
    raise NotImplementedError


@hookspec
def engine_adapters() -> Sequence[Adapter]:
    """Return the ways of changing a trained model so that little of it, or something beside it, is learned."""
    raise NotImplementedError


@hookspec
def engine_formats() -> Sequence[Format]:
    """Return the model files of other projects that can be written and read."""
    raise NotImplementedError


@hookspec
def engine_evaluators() -> Sequence[Evaluator]:
    """Return the ways of judging a model on held-out text."""
    raise NotImplementedError


@hookspec
def engine_rewards() -> Sequence[Reward]:
    """Return the ways of saying how good an answer to a prompt is."""
    raise NotImplementedError
