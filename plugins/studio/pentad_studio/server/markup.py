"""Pieces of text as markup: the one place beside the templates where it is put together, and escaped."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from pentad_cli.tools import visible

_SHOWN = {"space": Markup('<span class="ws"> </span>'), "tab": Markup('<span class="ws tab">\t</span>')}
_LINE = Markup('<span class="ws line">\u23ce</span>')


def parts_markup(parts: Iterable[tuple[str, str]]) -> Markup:
    """Return the parts of a piece as markup.

    Args:
        parts: text and class: empty for plain text, `space`, `tab`, `line`, `byte`, `special`.
    """
    made = Markup()
    for text, css in parts:
        if css in _SHOWN:
            made += _SHOWN[css]
        elif css == "line":
            made += _LINE
        elif css:
            made += Markup('<span class="{}">{}</span>').format(css, visible(text))
        else:
            made += escape(visible(text))
    return made
