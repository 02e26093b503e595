"""The records that a plugin's hooks return: light, so that listing fifty plugins imports no torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pentad.config.options import NoOptions

HOOK_API_VERSION = 2
"""One number for all hooks and contracts. A plugin module may say `pentad_api = 2`; one that asks for more is not loaded."""


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """One way of doing one stage.

    Args:
        name: what users type: `gpt`. Lower-case letters, digits and dashes.
        summary: one line for listings.
        factory: `module:Class`, imported only when a user chooses this implementation. What it is called with and must
            return is the contract of its stage. A callable also works, for code that lives in one file or a notebook.
        options: a frozen keyword-only dataclass made of `pentad.option` fields; or `module:Class` of one, which is
            imported only when the implementation is chosen or shown, so that listing it costs less.
        upgrade: `module:function` (or a callable) that declares that this version opens the runs of other versions. It is
            called as `upgrade(options, version)` with the options and the version in which the run was made, as plain names
            and values, and returns options of this version with which the factory makes what reads the older state. The run
            keeps what it says, so the function is called each time the run is opened. Parameters that were renamed are
            `Model.upgrade_state`'s; files of a tokenizer are its `load`'s.
    """

    name: str
    summary: str
    factory: str | Callable[..., Any]
    options: str | type = NoOptions
    upgrade: str | Callable[[dict[str, Any], str], dict[str, Any]] = ""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A named text that `--data NAME` accepts.

    Args:
        name: what users type: `python-docs`.
        summary: one line for listings.
        factory: `module:function`; the function takes nothing and yields a `str` or a record with keys for each document
            (`pentad.Record`), the same on every call.
    """

    name: str
    summary: str
    factory: str | Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A file format that `--data` accepts.

    Args:
        suffix: the end of the file's name, with its dot, lower case: `.parquet`.
        summary: one line for listings.
        factory: `module:function`. A format's function takes an open binary file and yields a `str` or a record with keys for
            each document (`pentad.Record`). It gets `text_key` and `encoding`, what the user said of these or an empty text
            and `auto`, if it names them. A decompressor's takes an open binary file and returns one that yields the plain
            bytes.
        decompressor: whether this suffix is a compression (`book.txt.zst`) and not a format.
    """

    suffix: str
    summary: str
    factory: str | Callable[..., Any]
    decompressor: bool = False


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command that a plugin adds to `engine`.

    Args:
        name: what users type after `engine`.
        summary: one line for `engine --help`.
        factory: `module:command`, a `click.Command`, imported only when the command is called.
    """

    name: str
    summary: str
    factory: str | Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Observer:
    """Something that watches every run: a metrics sink, a notifier.

    Args:
        name: what users type in `--observe NAME`.
        summary: one line for listings.
        factory: `module:Class`, called with `options`; returns a `pentad.RunObserver`.
        options: as for `Implementation`.
    """

    name: str
    summary: str
    factory: str | Callable[..., Any]
    options: str | type = NoOptions


@dataclass(frozen=True, kw_only=True)
class Executor:
    """A way of carrying out many runs.

    Args:
        name: what users type: `--executor ray`.
        summary: one line for listings.
        factory: `module:Class`, called as `factory(options, jobs=…)`; returns a `pentad.TaskExecutor`.
        options: as for `Implementation`.
    """

    name: str
    summary: str
    factory: str | Callable[..., Any]
    options: str | type = NoOptions


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """A way of judging a model on held-out text.

    Args:
        name: what users type: `--with bits-per-byte`.
        summary: one line for listings.
        factory: `module:Class`, called with `options`; returns a `pentad.RunEvaluator`.
        options: as for `Implementation`.
        default: whether it judges the runs whose builder names no evaluator.
    """

    name: str
    summary: str
    factory: str | Callable[..., Any]
    options: str | type = NoOptions
    default: bool = False


def resolve(place: Any) -> Any:
    """Import what `module:attribute` names and return it; what is no text is returned as it is."""
    if not isinstance(place, str):
        return place
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)
