"""Take the pictures of docs/studio.md: `python docs/studio_pictures.py FOLDER`, with FOLDER/runs and FOLDER/comparisons.

FOLDER/runs holds `shakespeare`, a trained gpt, others to compare it with, and `animals`, which learned the conversations of
examples/talks.py. Needs Chromium and its driver.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from _browser import Browser, started

PICTURES = Path(__file__).parent / "pictures"

WIDTH, MOST_BYTES = 1040, 120_000

_TYPE = """
const field = document.querySelector(arguments[0]);
field.value = arguments[1];
field.dispatchEvent(new Event("input", {bubbles: true}));
"""

_COPIED = "ROMEO:\nI am a fool.\n\nFirst Citizen:\nBefore we proceed any further, hear me speak.\n\nAnd so it goes."


def tokens(browser: Browser) -> None:
    """Put the run's own tokenizer beside the published one."""
    browser.choose("[name=tokenizer-1]", "run:shakespeare")
    time.sleep(1)
    browser.wait("document.querySelectorAll('.numbers').length === 2")


def examples(browser: Browser) -> None:
    """Wait for the examples."""
    browser.wait("document.querySelectorAll('.arrow').length > 3")


def training(browser: Browser) -> None:
    """Choose all runs."""
    browser.run("document.querySelectorAll('.run input:not(:checked)').forEach(each => each.click())")
    browser.wait("document.querySelectorAll('#chart svg.wide .curve').length > 1")
    time.sleep(2)


def generation(browser: Browser) -> None:
    """Write, and look at a token that was not sure."""
    browser.run(_TYPE, "#prompt", "ROMEO:")
    browser.run(_TYPE, "[name=max_tokens]", "48")
    browser.click("#write")
    browser.wait("document.querySelector('#column-0 .state').textContent.includes('a second')", 60)
    browser.run("document.querySelectorAll('#column-0 .text [data-at]')[8].click()")


def chat(browser: Browser) -> None:
    """Ask two questions."""
    browser.wait("document.querySelector('#about p')", 60)
    for number, question in enumerate(("Where does the owl live?", "What does the owl eat?"), 1):
        browser.run(_TYPE, "#question", question)
        browser.click("#send")
        browser.wait(
            f"document.querySelectorAll('.exchange').length === {number} && !document.querySelector('#send').disabled", 60
        )


def inside(browser: Browser) -> None:
    """Read a line of the play."""
    browser.run(_TYPE, "[name=text]", "ROMEO: But, soft! what light through yonder window breaks?")
    browser.wait("document.querySelectorAll('#looked .token').length > 12")
    time.sleep(1)


def trace(browser: Browser) -> None:
    """Look for a text of which a part is copied."""
    browser.run(_TYPE, "#text", _COPIED)
    browser.wait("document.querySelector('.passage')", 120)


def text(browser: Browser) -> None:
    """Score what was held out."""
    browser.click("#score")
    browser.wait("document.querySelector('#scores .passage')", 120)


def comparisons(browser: Browser) -> None:
    """There is nothing to do."""


PAGES: dict[str, tuple[Callable[[Browser], None], int, bool]] = {
    "tokens": (tokens, 820, False),
    "examples": (examples, 640, False),
    "training": (training, 690, False),
    "generation": (generation, 1010, False),
    "chat": (chat, 690, False),
    "inside": (inside, 860, True),
    "trace": (trace, 760, False),
    "text": (text, 520, False),
    "comparisons": (comparisons, 400, True),
}
"""Page to what is done there, the height of its picture, and whether it is in dark colours."""


def main(folder: Path) -> None:
    """Serve the folder, and take a picture of each page."""
    command = [sys.executable, "-m", "pentad_cli", "studio", "--no-browser", "--port", "0"]
    served = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert served.stdout is not None
        found = re.search(r"http\S+/", served.stdout.readline())
        assert found, "engine studio printed no address"
        with started() as browser:
            for name in PAGES:
                take(browser, found[0], name)
    finally:
        served.terminate()


RUNS = {"generation": "shakespeare", "chat": "animals", "inside": "shakespeare", "trace": "shakespeare", "text": "shakespeare"}
"""Page to the run that is chosen there."""

SCROLLED = {"generation": "#write", "text": "h2"}
"""Page to what stands at the top of its picture, where that is not the page's own top."""


def take(browser: Browser, address: str, name: str) -> None:
    """Take the picture of a page."""
    prepare, height, dark = PAGES[name]
    browser.look(WIDTH, height, dark)
    browser.open(f"{address}{name}" + (f"?run={RUNS[name]}" if name in RUNS else ""))
    time.sleep(1.5)
    prepare(browser)
    time.sleep(0.5)
    browser.run(
        "document.activeElement?.blur(); (document.querySelector(arguments[0]) ?? document.body).scrollIntoView()",
        SCROLLED.get(name, "body"),
    )
    picture = browser.picture()
    if len(picture) > MOST_BYTES:
        sys.exit(f"The picture of {name} has {len(picture):,} bytes, more than {MOST_BYTES:,}.")
    (PICTURES / f"studio-{name}.png").write_bytes(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
