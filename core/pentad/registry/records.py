"""The records that a plugin's hooks return: light, so that listing fifty plugins imports no torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from pentad.config.options import NoOptions
from pentad.system.frozen import Frozen

if TYPE_CHECKING:
    from pathlib import Path

    from pentad.contracts.situation import Advice, Situation

HOOK_API_VERSION = 2
"""One number for all hooks and contracts. A plugin module may say `pentad_api = 2`; one that asks for more is not loaded."""


class HookRecord(Frozen):
    """What every record says.

    Args:
        summary: one line for listings.
        factory: `module:Class`, imported only when a user chooses what is offered. What it is called with and must return
            stands with the contract of its kind. A callable also works, for code that lives in one file or a notebook.
        expected_failures: name of a check of the conformance kit to the reason why this one cannot keep it by its nature.
            `engine plugins check` and the classes of `pentad.testing` count such a failure as expected.
    """

    summary: str
    factory: str | Callable[..., Any]
    expected_failures: Mapping[str, str] = field(default_factory=dict)


class OptionsRecord(HookRecord):
    """A record of something that can be set.

    Args:
        options: a frozen keyword-only dataclass made of `pentad.option` fields; or `module:Class` of one, which is
            imported only when it is chosen or shown, so that listing it costs less.
    """

    options: str | type = NoOptions

    @property
    def takes_options(self) -> bool:
        """Whether there is anything to set."""
        return self.options is not NoOptions


class Implementation(OptionsRecord):
    """One way of doing one stage.

    Args:
        name: what users type: `gpt`. Lower-case letters, digits and dashes.
        upgrade: `module:function` (or a callable) that declares that this version opens the runs of other versions. It is
            called as `upgrade(options, version)` with the options and the version in which the run was made, as plain names
            and values, and returns options of this version with which the factory makes what reads the older state. The run
            keeps what it says, so the function is called each time the run is opened. Parameters that were renamed are
            `Model.upgrade_state`'s; files of a tokenizer are its `load`'s.
        advise: `module:function` (or a callable) that sizes what the user left open. It is called as
            `advise(options, situation)` with the options object and a `pentad.Situation`, and returns a `pentad.Advice`, or
            None for no opinion. Tokenizers, models and optimizers are asked.
        example: `module:function` (or a callable) that makes options with which the conformance kit tests it, for one that
            does nothing without a file. It is called as `example(folder)`, may write files into the folder, and returns options
            by name.
        compare_with: names of others of its stage from which a user learns most beside it, the best first: one that works in
            another way, a simpler one. The first that is installed is suggested after a run.
        source: where the method comes from, for `engine plugins show`: author, title and year of a paper or a library, or
            `own`. One line; empty where nobody says.
        factory: called as its stage's contract says: `factory(options, …)`.
    """

    name: str
    source: str = ""
    compare_with: tuple[str, ...] = ()
    upgrade: str | Callable[[dict[str, Any], str], dict[str, Any]] = ""
    advise: str | Callable[[Any, Situation], Advice | None] = ""
    example: str | Callable[[Path], Mapping[str, Any]] = ""


class Corpus(OptionsRecord):
    """A named text that `--data NAME` accepts.

    Args:
        name: what users type: `python-docs`. Options stand behind it: `--data python-docs,part=library`.
        factory: a function that yields a `str` or a record with keys for each document (`pentad.Record`), the same on every
            call. It takes the options object where there are `options`, and nothing else.
    """

    name: str


class Reader(OptionsRecord):
    """A file format that `--data` accepts.

    Args:
        suffix: the end of the file's name, with its dot, lower case: `.parquet`. Options stand behind the file's name:
            `--data table.csv,column=text`.
        factory: a format's function takes an open binary file and yields a `str` or a record with keys for each document
            (`pentad.Record`), and gets `text_key` and `encoding` if it names them: what the user said of these, or an empty
            text and `auto`. A decompressor's takes an open binary file and returns one that yields the plain bytes. Both get
            the options object behind the file where there are `options`.
        decompressor: whether this suffix is a compression (`book.txt.zst`) and not a format.
        example: `module:function` (or a callable) that returns the bytes of a small file of this format, with which the
            conformance kit tests the reader; a decompressor's holds UTF-8 text.
    """

    suffix: str
    decompressor: bool = False
    example: str | Callable[[], bytes] = ""


class Command(HookRecord):
    """A command that a plugin adds to `engine`.

    Args:
        name: what users type after `engine`.
        factory: `module:command`, a `click.Command`, imported only when the command is called.
    """

    name: str


class Observer(OptionsRecord):
    """Something that watches every run: a metrics sink, a notifier.

    Args:
        name: what users type in `--observe NAME`; its options are flags `--NAME.OPTION`.
        factory: called as `factory(options)`; returns a `pentad.RunObserver`.
    """

    name: str


class Executor(OptionsRecord):
    """A way of carrying out many runs.

    Args:
        name: what users type: `--executor ray`.
        factory: called as `factory(options, jobs=…)`; returns a `pentad.TaskExecutor`.
    """

    name: str


class Adapter(OptionsRecord):
    """A change of a trained model: what of it is learned further, or what is learned beside it.

    Args:
        name: what users type: `--adapter lora`; its options are flags `--adapter.OPTION`.
        factory: called as `factory(options)`; returns a `pentad.ModelAdapter`.
        upgrade: as for `Implementation`.
    """

    name: str
    upgrade: str | Callable[[dict[str, Any], str], dict[str, Any]] = ""


class Format(OptionsRecord):
    """Model files of another project.

    Args:
        name: what users type: `--format gpt2`; its options stand behind it: `--format gpt2,option=value`.
        factory: called as `factory(options)`; returns a `pentad.ModelFormat`.
    """

    name: str


class Evaluator(OptionsRecord):
    """A way of judging a model on held-out text.

    Args:
        name: what users type: `--with bits-per-byte`. Options stand behind it, there and where a builder names its evaluators:
            `--with accuracy,best=5`.
        factory: called as `factory(options)`; returns a `pentad.RunEvaluator`.
        default: whether it judges the runs whose builder names no evaluator.
    """

    name: str
    default: bool = False


class Reward(OptionsRecord):
    """A way of saying how good an answer is, for learning from rewards and for judging tasks.

    Args:
        name: what a record's key `reward` says, or users type: `--builder.reward number`. Options stand behind it:
            `--builder.reward letter,letter=e`.
        factory: called as `factory(options)`; returns a `pentad.RewardFunction`.
    """

    name: str


def resolve(place: Any) -> Any:
    """Import what `module:attribute` names and return it; what is no text is returned as it is."""
    if not isinstance(place, str):
        return place
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)
