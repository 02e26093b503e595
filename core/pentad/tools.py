"""For those who build on the pipeline rather than write a stage of it: commands and executors of plugins.

`pentad` has what stages need, the five lines of a notebook, and no more. This is the second public surface, with the same
promise: what a command such as `engine compare` needs of recipes, texts, runs and processes. Names are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pentad.config.budget import Budget
    from pentad.config.options import OptionSpec, changed, describe, given, parse, split_options
    from pentad.config.recipe import read_tables
    from pentad.config.tables import TABLES
    from pentad.contracts.executor import EXIT_STOPPED, LOG_FILE
    from pentad.data.pieces import Piece, Pieces, cut
    from pentad.data.preparation import make_builder, open_split, prepare_tokenizer
    from pentad.data.records import record_pieces
    from pentad.data.rendering import Rendering, encode_all
    from pentad.data.split import Split
    from pentad.inference.conversation import Conversation, Exchange, can_converse
    from pentad.inference.net import bits_per_byte, negative_log_likelihood
    from pentad.inference.scoring import score_windows, standard_error
    from pentad.registry.offers import Offer
    from pentad.registry.resolving import resolve, written_tables
    from pentad.runs.folder import RunDirectory
    from pentad.speed.dropping import dropout
    from pentad.system.cache import cache_directory
    from pentad.system.chart import Line, line_chart
    from pentad.system.errors import Interrupted, RunDone, did_you_mean, one_line
    from pentad.system.files import is_stamped, locked, read_json, stamped, write_atomically
    from pentad.system.json_lines import LineFollower, read_lines
    from pentad.system.machine import available_cores, peak_memory, physical_cores, prepare_process
    from pentad.system.opening import UNFINISHED, discard, open_plain, refuse_links
    from pentad.system.sources import source_digest

PLACES = {
    "config.budget": ("Budget",),
    "config.options": (
        "OptionSpec",
        "changed",
        "describe",
        "given",
        "parse",
        "split_options",
    ),
    "config.recipe": ("read_tables",),
    "config.tables": ("TABLES",),
    "contracts.executor": (
        "EXIT_STOPPED",
        "LOG_FILE",
    ),
    "data.pieces": (
        "Piece",
        "Pieces",
        "cut",
    ),
    "data.records": ("record_pieces",),
    "data.rendering": (
        "Rendering",
        "encode_all",
    ),
    "data.preparation": (
        "make_builder",
        "open_split",
        "prepare_tokenizer",
    ),
    "data.split": ("Split",),
    "inference.scoring": ("score_windows", "standard_error"),
    "inference.net": (
        "bits_per_byte",
        "negative_log_likelihood",
    ),
    "registry.offers": ("Offer",),
    "registry.resolving": (
        "resolve",
        "written_tables",
    ),
    "inference.conversation": ("Conversation", "Exchange", "can_converse"),
    "runs.folder": ("RunDirectory",),
    "speed.dropping": ("dropout",),
    "system.chart": (
        "Line",
        "line_chart",
    ),
    "system.cache": ("cache_directory",),
    "system.errors": (
        "Interrupted",
        "RunDone",
        "did_you_mean",
        "one_line",
    ),
    "system.files": (
        "is_stamped",
        "locked",
        "read_json",
        "stamped",
        "write_atomically",
    ),
    "system.json_lines": (
        "LineFollower",
        "read_lines",
    ),
    "system.machine": (
        "available_cores",
        "peak_memory",
        "physical_cores",
        "prepare_process",
    ),
    "system.opening": (
        "UNFINISHED",
        "discard",
        "open_plain",
        "refuse_links",
    ),
    "system.sources": ("source_digest",),
}
"""Module to the names that are taken from it."""

_PLACE = {name: module for module, names in PLACES.items() for name in names}

__all__ = [
    "EXIT_STOPPED",
    "LOG_FILE",
    "TABLES",
    "UNFINISHED",
    "Budget",
    "Conversation",
    "Exchange",
    "Interrupted",
    "Line",
    "LineFollower",
    "Offer",
    "OptionSpec",
    "Piece",
    "Pieces",
    "Rendering",
    "RunDirectory",
    "RunDone",
    "Split",
    "available_cores",
    "bits_per_byte",
    "cache_directory",
    "can_converse",
    "changed",
    "cut",
    "describe",
    "did_you_mean",
    "discard",
    "dropout",
    "encode_all",
    "given",
    "is_stamped",
    "line_chart",
    "locked",
    "make_builder",
    "negative_log_likelihood",
    "one_line",
    "open_plain",
    "open_split",
    "parse",
    "peak_memory",
    "physical_cores",
    "prepare_process",
    "prepare_tokenizer",
    "read_json",
    "read_lines",
    "read_tables",
    "record_pieces",
    "refuse_links",
    "resolve",
    "score_windows",
    "source_digest",
    "split_options",
    "stamped",
    "standard_error",
    "write_atomically",
    "written_tables",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACE:
        raise AttributeError(f"module 'pentad.tools' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"pentad.{_PLACE[name]}"), name)
    globals()[name] = value
    return value
