"""Charts as inline SVG, drawn without a browser: a canvas, scales with round ticks, labels that keep clear of each other.

`engine compare` draws its report with it and `engine studio` its pages; a plugin's command may as well. A chart is drawn by
`figure`, which calls a function once for a wide canvas and once for a narrow one. Text is made visible and escaped in one
place, `element`. Colours are CSS variables: `chart_style` and `dark_style` set them. Names are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pentad_cli.charts.canvas import NARROW, WIDE, Canvas, Figure, figure, shape
    from pentad_cli.charts.look import Look, looks
    from pentad_cli.charts.markup import element, number
    from pentad_cli.charts.place import Box, place_labels
    from pentad_cli.charts.scale import Scale, padded, prefix
    from pentad_cli.charts.spread import end_labels, label_room
    from pentad_cli.charts.styles import chart_style, dark_style
    from pentad_cli.charts.text import FONT, LINE, width, wrap

PLACES = {
    "charts.canvas": ("NARROW", "WIDE", "Canvas", "Figure", "figure", "shape"),
    "charts.look": ("Look", "looks"),
    "charts.markup": ("element", "number"),
    "charts.place": ("Box", "place_labels"),
    "charts.scale": ("Scale", "padded", "prefix"),
    "charts.spread": ("end_labels", "label_room"),
    "charts.styles": ("chart_style", "dark_style"),
    "charts.text": ("FONT", "LINE", "width", "wrap"),
}
"""Module to the names that are taken from it."""

_PLACE = {name: module for module, names in PLACES.items() for name in names}

__all__ = [
    "FONT",
    "LINE",
    "NARROW",
    "WIDE",
    "Box",
    "Canvas",
    "Figure",
    "Look",
    "Scale",
    "chart_style",
    "dark_style",
    "element",
    "end_labels",
    "figure",
    "label_room",
    "looks",
    "number",
    "padded",
    "place_labels",
    "prefix",
    "shape",
    "width",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACE:
        raise AttributeError(f"module 'pentad_cli.charts' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"pentad_cli.{_PLACE[name]}"), name)
    globals()[name] = value
    return value
