"""The figures of the report as SVG files of their own, for papers and slides.

Drawing programs know no CSS variables, so the colours are written out, those of the light page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pentad_cli.charts import WIDE, Figure, chart_style

FONT = 'font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'

_VARIABLE = re.compile(r"var\(--(\w+)\)")
_COLOURED = re.compile(r"\.(\w+) \{ --c: var\(--(\w+)\) \}")
_RULE = re.compile(r"([^{}\n]+) \{ ([^{}]+) \}")


def standalone(figure: Figure) -> str:
    """Return the wide drawing of a figure as a document, with its style and its legend's names."""
    svg = str(figure.wide)
    box = re.search(r'viewBox="0 0 \S+ (\S+)"', svg)
    height = box.group(1) if box else "0"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" height="{height}" '
    style = f"<style>svg.chart {{ {FONT} }}\n{_style()}</style>"
    paper = '<rect width="100%" height="100%" fill="#ffffff"/>'
    opening, rest = svg.split(">", 1)
    return f"{opening.replace('<svg ', head, 1)}>{style}{paper}{rest}\n"


def _style() -> str:
    """Return chart.css without variables: a rule that takes an arm's or a verdict's colour becomes one for each of them."""
    css = chart_style()
    values = dict(re.findall(r"--(\w+): (#\w+)", css))
    coloured = {name: values[variable] for name, variable in _COLOURED.findall(css)}
    rules = [rule for rule in _RULE.findall(css) if "--" not in rule[1].replace("var(--", "")]
    return "\n".join(line for selector, body in rules for line in _written_out(selector.strip(), body, values, coloured)) + "\n"


def _written_out(selector: str, body: str, values: Mapping[str, str], coloured: Mapping[str, str]) -> list[str]:
    if "var(--c)" not in body:
        return [f"{selector} {{ {_resolved(body, values)} }}"]
    return [f".{name}{selector} {{ {_resolved(body, {**values, 'c': colour})} }}" for name, colour in coloured.items()]


def _resolved(body: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values[match[1]], body)
