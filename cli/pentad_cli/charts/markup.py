"""The one place where SVG is put together: values are made visible and escaped here."""

from __future__ import annotations

from markupsafe import Markup, escape

from pentad_cli.terminal.text import visible_line


def element(name: str, *children: Markup | str, **attributes: str | float | None) -> Markup:
    """Return an SVG element.

    Args:
        name: of the element.
        children: markup as it is, text escaped.
        attributes: `class_` for class, `_` for `-`; None leaves one out.
    """
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(child if isinstance(child, Markup) else escape(visible_line(child)) for child in children)
    return Markup(f"<{name}{pairs}>{inside}</{name}>" if inside else f"<{name}{pairs}/>")


def number(value: float) -> str:
    """Say a coordinate to a tenth of a pixel.

    >>> [number(value) for value in (3.0, 3.14159, -0.01)]
    ['3', '3.1', '0']
    """
    words = f"{value:.1f}".removesuffix(".0")
    return "0" if words == "-0" else words


def _value(value: str | float) -> str:
    return visible_line(value) if isinstance(value, str) else number(value)
