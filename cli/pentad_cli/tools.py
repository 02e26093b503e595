"""What a plugin's command takes from the command line, so that it reads, speaks and completes as `engine run` does.

A command of a plugin is a `click.Command`. It needs nothing of this module to work; what it takes from here keeps its meaning
within a version 0.x, and nothing else of `pentad_cli` does. Names are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pentad_cli.arguments.command import EngineCommand, Folder, json_option, offers_of, plugin_option, weights_option
    from pentad_cli.arguments.layers import Tables, default_tables, lay_over
    from pentad_cli.arguments.scanning import look
    from pentad_cli.arguments.stage_command import SpecOption, TwoLooks
    from pentad_cli.group import installed
    from pentad_cli.terminal.output import has_colour, is_terminal, plain, say_json, terminal_width
    from pentad_cli.terminal.text import count, duration, plural, quantity, short, size, visible, visible_line
    from pentad_cli.terminal.writing import TextWriter

PLACES = {
    "arguments.command": ("EngineCommand", "Folder", "json_option", "offers_of", "plugin_option", "weights_option"),
    "group": ("installed",),
    "arguments.scanning": ("look",),
    "arguments.stage_command": ("SpecOption", "TwoLooks"),
    "arguments.layers": ("Tables", "default_tables", "lay_over"),
    "terminal.output": ("has_colour", "is_terminal", "plain", "say_json", "terminal_width"),
    "terminal.text": ("count", "duration", "plural", "quantity", "short", "size", "visible", "visible_line"),
    "terminal.writing": ("TextWriter",),
}
"""Module to the names that are taken from it."""

_PLACE = {name: module for module, names in PLACES.items() for name in names}

__all__ = [
    "EngineCommand",
    "Folder",
    "SpecOption",
    "Tables",
    "TextWriter",
    "TwoLooks",
    "count",
    "default_tables",
    "duration",
    "has_colour",
    "installed",
    "is_terminal",
    "json_option",
    "lay_over",
    "look",
    "offers_of",
    "plain",
    "plugin_option",
    "plural",
    "quantity",
    "say_json",
    "short",
    "size",
    "terminal_width",
    "visible",
    "visible_line",
    "weights_option",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACE:
        raise AttributeError(f"module 'pentad_cli.tools' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"pentad_cli.{_PLACE[name]}"), name)
    globals()[name] = value
    return value
