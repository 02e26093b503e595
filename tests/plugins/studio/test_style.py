"""The colours of the pages: text stands out from every ground that it is written on, in both schemes (WCAG 2)."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from pentad_cli.charts import chart_style, dark_style

GROUNDS = (*(f"t{number}" for number in range(6)), *(f"p{number}" for number in range(6)), "paper", "card", "field")


def palettes() -> dict[str, dict[str, str]]:
    own = resources.files("pentad_studio").joinpath("static/studio.css").read_text(encoding="utf-8")
    light, _, dark = own.partition("@media screen and (prefers-color-scheme: dark)")
    first, second = (dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", text)) for text in (chart_style() + light, dark_style()))
    dark = dark[: dark.index("* { box-sizing")]
    return {"light": first, "dark": first | second | dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", dark))}


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", GROUNDS)
def test_ink_stands_out_from_every_ground(scheme, ground):
    colours = palettes()[scheme]
    assert contrast(colours["ink"], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "card", "field"])
@pytest.mark.parametrize("ink", ["quiet", "link", "good", "bad"])
def test_further_inks_stand_out_from_the_paper(scheme, ground, ink):
    colours = palettes()[scheme]
    assert contrast(colours[ink], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "card", "field"])
def test_fields_and_the_focus_are_seen(scheme, ground):
    colours = palettes()[scheme]
    assert contrast(colours["edge"], colours[ground]) >= 3  # WCAG 2.1, non-text contrast
    assert contrast(colours["link"], colours[ground]) >= 3


@pytest.mark.parametrize(("scheme", "ink"), [("light", "#ffffff"), ("dark", "#08131c")])
def test_the_words_of_a_button_are_read(scheme, ink):
    assert contrast(ink, palettes()[scheme]["s0"]) >= 4.5


def test_on_a_token_every_ink_is_that_of_the_token():
    own = resources.files("pentad_studio").joinpath("static/studio.css").read_text(encoding="utf-8")
    for name in (".byte", ".special", ".marks .ws:not(.line)::before", ".ids .tokens .token::after"):
        rules = re.findall(rf"(?m)^{re.escape(name)} {{(.*)}}", own)
        assert rules and not any(re.search(r"(?<![-\w])color:", rule) for rule in rules)
