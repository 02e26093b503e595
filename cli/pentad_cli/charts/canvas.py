"""A canvas that collects what is drawn, and the figure of a wide and a narrow one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from pentad_cli.charts.look import Look
from pentad_cli.charts.markup import element, number
from pentad_cli.charts.scale import Scale, roomy_ticks, tick_words
from pentad_cli.charts.text import LINE, fit

WIDE = 720
"""Pixels of a drawing for screens and paper."""

NARROW = 340
"""Pixels of a drawing for telephones."""

_POLYGONS = {"square": (4, 45.0, 1.18), "triangle": (3, -90.0, 1.3), "diamond": (4, 0.0, 1.3), "down": (3, 90.0, 1.3)} | {
    "pentagon": (5, -90.0, 1.15)
}


@dataclass
class Canvas:
    """An SVG being drawn; lengths in pixels, the origin at the upper left. `letters`: whether arms are named by letters."""

    width: float
    height: float = 0
    parts: list[Markup] = field(default_factory=list)
    letters: bool = False

    @property
    def narrow(self) -> bool:
        """Whether it is for a telephone."""
        return self.width < WIDE

    def add(self, name: str, *children: Markup | str, **attributes: str | float | None) -> None:
        """Draw an element."""
        self.parts.append(element(name, *children, **attributes))

    def text(self, x: float, y: float, words: str, css: str = "", anchor: str | None = None, hint: str = "") -> None:
        """Write one line: `y` is the middle of its height; `hint` is shown where a pointer rests."""
        tip = [element("title", hint)] if hint and hint != words else []
        self.add("text", *tip, words, x=x, y=y + 4.5, class_=css or None, text_anchor=anchor)

    def lines(self, x: float, y: float, words: Sequence[str], css: str = "", anchor: str | None = None, hint: str = "") -> None:
        """Write several lines around the height `y`."""
        top = y - (len(words) - 1) * LINE / 2
        for index, line in enumerate(words):
            self.text(x, top + index * LINE, line, css, anchor, hint)

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        """Draw a straight line."""
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=css)

    def path(self, points: Sequence[tuple[float, float]], css: str, close: bool = False, clip: str | None = None) -> None:
        """Draw a line through points, or the area inside of them."""
        data = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points) + ("Z" if close else "")
        self.add("path", d=data, class_=css, clip_path=clip)

    def mark(self, x: float, y: float, look: Look, radius: float = 5, hint: str = "", css: str = "mark") -> None:
        """Draw an arm's mark."""
        tip = [element("title", hint)] if hint else []
        self.parts.append(shape(look, x, y, radius, css, *tip))

    def dot(self, x: float, y: float, radius: float, css: str, hint: str = "") -> None:
        """Draw a small round dot."""
        self.add("circle", *([element("title", hint)] if hint else []), cx=x, cy=y, r=radius, class_=css)

    def bar(self, left: float, top: float, width: float, height: float, css: str, hint: str = "") -> None:
        """Draw a filled rectangle."""
        tip = [element("title", hint)] if hint else []
        self.add("rect", *tip, x=left, y=top, width=max(width, 0), height=max(height, 0), class_=css)

    def axis_below(
        self, scale: Scale, y: float, strips: Sequence[tuple[float, float]], title: str, unit: float = 1.0, most: int = 6
    ) -> None:
        """Draw an axis under a plot: lines through the strips (top, bottom) of it, numbers in units, and its title below."""
        scale = Scale(scale.low / unit, scale.high / unit, scale.start, scale.end, scale.log)
        for tick, words in roomy_ticks(scale, most):
            for top, bottom in strips:
                self.line(scale(tick), top, scale(tick), bottom, "grid")
            self.text(scale(tick), y + 13, words, "tick", "middle")
        middle = (scale.start + scale.end) / 2
        self.text(middle, y + 32, fit(title, 2 * min(middle, self.width - middle)), "axis", "middle", hint=title)

    def axis_left(self, scale: Scale, x: float, right: float, title: str, most: int = 5) -> None:
        """Draw an axis at the left of a plot, its title above."""
        ticks = scale.ticks(most)
        for tick, words in zip(ticks, tick_words(ticks), strict=True):
            self.line(x, scale(tick), right, scale(tick), "grid")
            self.text(x - 6, scale(tick), words, "tick", "end")
        self.text(0, scale.end - 20, fit(title, self.width), "axis", hint=title)


def shape(look: Look, x: float, y: float, radius: float, css: str, *children: Markup) -> Markup:
    """Return an arm's mark as an element."""
    classes = f"{css} {look.colour}" + (" hollow" if look.hollow else "")
    if look.shape == "circle":
        return element("circle", *children, cx=x, cy=y, r=radius, class_=classes)
    corners = _corners(look.shape, radius)
    data = "M" + "L".join(f"{number(x + across)} {number(y + down)}" for across, down in corners) + "Z"
    return element("path", *children, d=data, class_=classes)


def _corners(name: str, radius: float) -> list[tuple[float, float]]:
    if name in ("cross", "bar"):
        arm, bone = radius * (1.15 if name == "cross" else 1.35), radius * (0.42 if name == "cross" else 0.6)
        if name == "bar":
            return [(-arm, -bone), (arm, -bone), (arm, bone), (-arm, bone)]
        quarter = [(-bone, -arm), (bone, -arm), (bone, -bone)]
        turns = [(1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0)]
        return [(a * x + b * y, c * x + d * y) for a, b, c, d in turns for x, y in quarter]
    count, first, size = _POLYGONS[name]
    angles = [math.radians(first + index * 360 / count) for index in range(count)]
    return [(radius * size * math.cos(angle), radius * size * math.sin(angle)) for angle in angles]


@dataclass(frozen=True)
class Figure:
    """A chart in both sizes, with the words around it.

    Args:
        slug: unique on the page.
        title, subtitle: what is to be seen, and what it is.
        wide, narrow: the drawings.
        legend: arms by their letters, where a drawing has no room for labels.
        legend_wide: whether the wide drawing needs the legend as well.
    """

    slug: str
    title: str
    subtitle: str
    wide: Markup
    narrow: Markup
    legend: Sequence[Look] = ()
    legend_wide: bool = False


def figure(slug: str, title: str, subtitle: str, draw: Callable[[float], Canvas], legend: Sequence[Look] = ()) -> Figure:
    """Draw a chart in both sizes.

    Args:
        slug: unique on the page.
        title, subtitle: see `Figure`; those who cannot see the chart are told them too.
        draw: draws it at a width.
        legend: arms that the narrow drawing, or both, name by their letters.
    """
    wide, narrow = draw(WIDE), draw(NARROW)
    shown = sorted(legend, key=lambda look: look.index) if wide.letters or narrow.letters else ()
    drawn = {
        name: _svg(canvas, f"{slug}-{name}", name, title, subtitle) for canvas, name in ((wide, "wide"), (narrow, "narrow"))
    }
    return Figure(slug, title, subtitle, drawn["wide"], drawn["narrow"], shown, wide.letters)


def _svg(canvas: Canvas, slug: str, css: str, title: str, subtitle: str) -> Markup:
    """Return a canvas as an element that names and describes itself."""
    return element(
        "svg",
        element("title", title, id=f"{slug}-title"),
        element("desc", subtitle, id=f"{slug}-desc"),
        *canvas.parts,
        viewBox=f"0 0 {number(canvas.width)} {number(canvas.height)}",
        class_=f"chart {css}",
        role="img",
        aria_labelledby=f"{slug}-title",
        aria_describedby=f"{slug}-desc",
    )
