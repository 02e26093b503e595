"""Names of runs: never a path, and shown as what they are, whatever they hold."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from pentad_studio.server.app import make_app

HOSTILE = ["<img src=x onerror=hurt()>&\"'", "two\nlines\x1b[31m\u202e", "bytes\udcff", "x" * 250]
"""Names that folders may have: markup, control characters, bytes that are no UTF-8, as long as can be."""

PAGES = ["tokens", "examples", "training", "start", "generation", "chat", "inside", "trace", "text", "comparisons"]


@pytest.fixture
def hostile(studio):
    try:
        for name in HOSTILE:
            shutil.copytree(studio.runs / "tiny", studio.runs / name)
        yield
    finally:
        for name in HOSTILE:
            shutil.rmtree(studio.runs / name, ignore_errors=True)


@pytest.mark.usefixtures("hostile")
def test_no_name_becomes_markup_or_control(page):
    for address in PAGES:
        answer = page.get(address)
        assert answer.status_code == 200
        assert "<img" not in answer.text and not {"\x1b", "\u202e"} & set(answer.text)
    events = page.post("training-list", data={"chosen": HOSTILE[0]}).text
    assert "&lt;img src=x onerror=hurt()&gt;" in events and "<img" not in events
    assert page.refusal("chat-about", run="bytes\ufffd") == "unknown-run"  # what a browser makes of it
    assert "is in" in page.post("chat-about", data={"run": "bytes?"}).json()["message"]


@pytest.mark.parametrize("name", ["", ".", "..", "../runs/tiny", "tiny/../tiny", "a\0b", "/etc"])
def test_a_name_is_never_a_path(page, studio, name):
    above = studio.runs.parent / "engine.json"  # what makes a folder a run
    above.write_text((studio.runs / "tiny" / "engine.json").read_text())
    try:
        for address in ("chat-about", "inside-part", "trace-part", "text-part", "text-duplicates"):
            assert page.refusal(address, run=name) == "unknown-run"
        assert page.refusal("run-resume", name=name) == "unknown-run"
        assert page.refusal("run-stop", name=name) == "not-started-here"
        assert page.refusal("tokens-part", **{"tokenizer-0": f"run:{name}", "text": "x"}) in (
            "unknown-run",
            "unknown-tokenizer",
        )
        assert '"code": "unknown-run"' in page.post("text-scores", data={"run": name}).text
        assert page.get("started", params={"name": name}).json() == {"there": False, "running": False, "words": ""}
    finally:
        above.unlink()


def test_numbers_that_are_none_are_said(page):
    assert page.refusal("training-list", rows="9" * 5000) == "form-number"
    assert page.refusal("generation-stream", kept="9" * 5000) == "form-unreadable"


@pytest.mark.parametrize("path", ["*", "", "tokens"])
def test_a_request_without_a_path_is_refused(studio, path):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"127.0.0.1:8760"), (b"origin", b"http://127.0.0.1:8760")]
    scope = {"type": "http", "method": "OPTIONS", "path": path, "headers": headers, "query_string": b""}
    asyncio.run(make_app(studio, "secret", 8760)(scope, receive, send))
    assert sent[0]["status"] == 403
