"""Puts the sections together to the page, and writes it and its figures."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pentad.tools import write_atomically
from pentad_cli.charts import chart_style, dark_style
from pentad_cli.tools import visible
from pentad_compare.records import Comparison
from pentad_compare.report import sections
from pentad_compare.report.finite import finite
from pentad_compare.report.sections.parts import swatch
from pentad_compare.report.svg import standalone

_PACKAGE = "pentad_compare.report"


def write_figures(comparison: Comparison, folder: Path) -> None:
    """Write every figure of the report as an SVG file.

    Raises:
        OSError: the folder is not writable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for section in sections.all_of(finite(comparison)):
        for block in section.blocks:
            for figure in block.figures:
                write_atomically(folder / f"{figure.slug}.svg", standalone(figure))


def render(comparison: Comparison) -> str:
    """Return the report as one HTML document."""
    files = resources.files(_PACKAGE)
    style = chart_style() + files.joinpath("page.css").read_text(encoding="utf-8") + dark_style()
    page = environment().get_template("page.html")
    comparison = finite(comparison)
    return page.render(
        head=sections.head(comparison),
        sections=sections.all_of(comparison),
        style=Markup(style),
        policy=_policy(style),
    )


@functools.cache
def environment() -> jinja2.Environment:
    """Return the environment of the templates: every value that is not markup is made visible, then escaped."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader(_PACKAGE),
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["swatch"] = swatch
    return templates


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _policy(style: str) -> str:
    """Return the content security policy: nothing but this very style, so that not even a missed escape could run a script."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
