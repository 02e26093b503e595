from __future__ import annotations

import re

import pytest

from pentad_cli.charts import chart_style, dark_style


def palettes() -> dict[str, dict[str, str]]:
    light, dark = (dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", style)) for style in (chart_style(), dark_style()))
    return {"light": light, "dark": light | dark}


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_marks_stand_out_from_the_paper(theme: str) -> None:
    colours = palettes()[theme]
    for name in ("ink", "quiet", "link", "good", "bad", "open"):
        for ground in ("paper", "card"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for index in range(8):
        assert contrast(colours[f"s{index}"], colours["paper"]) >= 3, index
