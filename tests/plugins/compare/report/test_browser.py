"""The page in a real browser: nothing overflows, nothing overlaps, and nothing is asked of a network."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pentad_compare.records import Comparison
from pentad_compare.report.page import render

WIDTHS = (360, 1200)

ENDINGS = {
    "hostile": "</svg><script>alert(1)</script>\u202e",
    "long": "/a/path/without/any/space" * 6,
    "wide": " 日本語のテキスト مرحبا" * 3,
}
"""What every text of some comparisons ends in."""

PROBE = """<script>
const found = {errors: [], clipped: [], touching: [], charts: []};
const name = element => element.closest("svg").querySelector("title").textContent + ": " + element.textContent;
addEventListener("error", event => found.errors.push(String(event.message)));
addEventListener("securitypolicyviolation", event => found.errors.push(event.violatedDirective + " " + event.blockedURI));
addEventListener("load", () => {
  document.querySelectorAll("details").forEach(each => each.open = true);
  for (const figure of document.querySelectorAll("figure")) {
    const charts = [...figure.querySelectorAll("svg.chart")].filter(each => each.getBoundingClientRect().width > 0);
    found.charts.push(charts.length);
    for (const chart of charts) {
      const size = chart.viewBox.baseVal;
      const texts = [...chart.querySelectorAll("text")].map(each => [each, each.getBBox()]);
      texts.forEach(([text, box], index) => {
        if (box.x < -1 || box.y < -1 || box.x + box.width > size.width + 1 || box.y + box.height > size.height + 1)
          found.clipped.push(name(text));
        for (const [other, its] of texts.slice(index + 1)) {
          const across = Math.min(box.x + box.width, its.x + its.width) - Math.max(box.x, its.x);
          const down = Math.min(box.y + box.height, its.y + its.height) - Math.max(box.y, its.y);
          if (across > 1 && down > 2) found.touching.push(name(text) + " / " + other.textContent);
        }
      });
    }
  }
  found.wanted = document.documentElement.scrollWidth;
  found.width = innerWidth;
  found.scripts = document.scripts.length;
  found.loaded = performance.getEntriesByType("resource").length;
  found.letters = parseFloat(getComputedStyle(document.querySelector("svg.chart") || document.body).fontSize);
  const frame = document.documentElement.dataset.frame;
  parent.postMessage(JSON.stringify([frame, found]), "*");
});
</script>"""

FRAMES = """<!doctype html><meta charset="utf-8"><pre id="out"></pre>
<script>
addEventListener("message", event => { document.getElementById("out").textContent += event.data + "\\n"; });
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
    if found is None:
        pytest.skip("No Chromium is installed: apt-get install chromium.")
    return found


@pytest.fixture(scope="module")
def measured(
    browser: str,
    cases: Mapping[str, Comparison],
    spoil: Callable[[Comparison, str], Comparison],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Any], str]:
    """Open every page in a frame of each width, in one start of the browser; return what was measured, and its log."""
    folder = tmp_path_factory.mktemp("pages")
    frames = FRAMES
    spoiled = {kind: spoil(cases["usual"], ending) for kind, ending in ENDINGS.items()}
    for name, comparison in {**cases, **spoiled}.items():
        for width in WIDTHS:
            # The measuring script needs leave of the policy; all else of it stays in force.
            page = render(comparison).replace(
                "default-src &#39;none&#39;", "default-src &#39;none&#39;; script-src &#39;unsafe-inline&#39;"
            )
            page = page.replace("<html", f'<html data-frame="{name}-{width}"').replace("</body>", PROBE + "</body>")
            (folder / f"{name}-{width}.html").write_text(page, encoding="utf-8")
            frames += f'<iframe src="{name}-{width}.html" width="{width}" height="900" style="border:0"></iframe>\n'
    (folder / "frames.html").write_text(frames, encoding="utf-8")
    done = start(browser, folder, "--virtual-time-budget=20000", "--dump-dom", (folder / "frames.html").as_uri())
    out = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert out, done.stderr
    return dict(json.loads(line) for line in html.unescape(out.group(1)).splitlines()), done.stderr


def start(browser: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    quiet = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder / 'profile'}"]
    command = [browser, *quiet, "--enable-logging=stderr", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120)


def test_every_page_was_opened(measured: tuple[dict[str, Any], str], cases: Mapping[str, Comparison]) -> None:
    assert len(measured[0]) == (len(cases) + len(ENDINGS)) * len(WIDTHS)
    assert {found["width"] for found in measured[0].values()} == set(WIDTHS)


def test_no_page_scrolls_sideways(measured: tuple[dict[str, Any], str]) -> None:
    assert {frame: found["wanted"] for frame, found in measured[0].items() if found["wanted"] > found["width"]} == {}


def test_one_size_of_every_chart_is_shown(measured: tuple[dict[str, Any], str]) -> None:
    for found in measured[0].values():
        assert set(found["charts"]) <= {1}
    assert len(measured[0]["usual-360"]["charts"]) == 8


def test_the_texts_of_charts_are_whole(measured: tuple[dict[str, Any], str]) -> None:
    assert {frame: found["clipped"] for frame, found in measured[0].items() if found["clipped"]} == {}


def test_the_texts_of_charts_do_not_touch(measured: tuple[dict[str, Any], str]) -> None:
    assert {frame: found["touching"] for frame, found in measured[0].items() if found["touching"]} == {}


def test_nothing_is_loaded_and_nothing_fails(measured: tuple[dict[str, Any], str]) -> None:
    for found in measured[0].values():
        assert (found["errors"], found["loaded"], found["scripts"]) == ([], 0, 1)
    assert "CONSOLE" not in measured[1]


def test_the_style_is_applied_under_the_pages_own_policy(browser: str, cases: Mapping[str, Comparison], tmp_path: Path) -> None:
    """The page as it is, opened from disk: on paper, where a page without its style would have other sizes."""
    (tmp_path / "report.html").write_text(render(cases["apart"]), encoding="utf-8")
    picture = tmp_path / "page.pdf"
    done = start(browser, tmp_path, f"--print-to-pdf={picture}", (tmp_path / "report.html").as_uri())
    assert picture.read_bytes().startswith(b"%PDF")
    assert "CONSOLE" not in done.stderr
