"""For those who build on the pipeline rather than write a stage of it: commands and executors of plugins.

`pentad` has what stages need, the five lines of a notebook, and no more. This is the second public surface, with the same
promise: what a command such as `engine compare` needs of recipes, texts, runs and processes. Names are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pentad.budget import Budget
    from pentad.catalogue import Offer, one_line
    from pentad.durable import locked, read_json, write_atomically
    from pentad.errors import Interrupted, RunDone, did_you_mean
    from pentad.objective import bits_per_byte, negative_log_likelihood
    from pentad.options import OptionSpec, describe, parse
    from pentad.pieces import Piece, Pieces
    from pentad.preparation import make_builder, open_split, prepare_tokenizer
    from pentad.recipe import DataOptions, TrainingOptions, read_tables, resolve
    from pentad.run_directory import RunDirectory, read_lines
    from pentad.runtime import available_cores, peak_memory, prepare_process
    from pentad.sources import source_digest
    from pentad.split import Split

PLACES = {
    "budget": ("Budget",),
    "catalogue": ("Offer", "one_line"),
    "durable": ("locked", "read_json", "write_atomically"),
    "errors": ("Interrupted", "RunDone", "did_you_mean"),
    "objective": ("bits_per_byte", "negative_log_likelihood"),
    "options": ("OptionSpec", "describe", "parse"),
    "pieces": ("Piece", "Pieces"),
    "preparation": ("make_builder", "open_split", "prepare_tokenizer"),
    "recipe": ("DataOptions", "TrainingOptions", "read_tables", "resolve"),
    "run_directory": ("RunDirectory", "read_lines"),
    "runtime": ("available_cores", "peak_memory", "prepare_process"),
    "sources": ("source_digest",),
    "split": ("Split",),
}
"""Module to the names that are taken from it."""

_PLACE = {name: module for module, names in PLACES.items() for name in names}

__all__ = [
    "Budget",
    "DataOptions",
    "Interrupted",
    "Offer",
    "OptionSpec",
    "Piece",
    "Pieces",
    "RunDirectory",
    "RunDone",
    "Split",
    "TrainingOptions",
    "available_cores",
    "bits_per_byte",
    "describe",
    "did_you_mean",
    "locked",
    "make_builder",
    "negative_log_likelihood",
    "one_line",
    "open_split",
    "parse",
    "peak_memory",
    "prepare_process",
    "prepare_tokenizer",
    "read_json",
    "read_lines",
    "read_tables",
    "resolve",
    "source_digest",
    "write_atomically",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACE:
        raise AttributeError(f"module 'pentad.tools' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"pentad.{_PLACE[name]}"), name)
    globals()[name] = value
    return value
