"""The pages in a real browser: they answer while one types, stream and stop, run nothing of a text, and fit a telephone."""

from __future__ import annotations

import json
import re
import shutil
import time
from urllib.parse import quote

import pytest

from pentad.inference.session import ModelSession
from pentad.tools import record_pieces

PAGES = ("tokens", "examples", "training", "start", "generation", "chat", "inside", "trace", "text", "comparisons")

HOSTILE = "</textarea><script>window.hurt=1</script><img src=x onerror='window.hurt=1'>\u202e{{7*7}}"

READY = {
    "tokens": "document.querySelector('#column-0 .numbers') && document.querySelector('#column-1 .numbers')",
    "examples": "document.querySelectorAll('.arrow').length > 3",
    "training": "document.querySelector('#chart svg')",
    "start": "document.querySelector('#command')",
}


@pytest.fixture(autouse=True)
def no_complaints(browser):
    """Each test ends without a complaint of the browser: no error, no breach of the policy, nothing that is not there."""
    browser.errors()
    yield
    assert browser.errors() == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_every_width_and_asks_no_network(browser, served, name):
    for width, dark in ((1600, False), (360, True)):
        browser.look(width, 900, dark)
        browser.open(f"{served}/{name}")
        browser.wait(READY.get(name, "true"))
        wanted, shown = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert wanted <= shown
    loaded = browser.run("return performance.getEntriesByType('resource').map(each => each.name)")
    assert loaded and all(address.startswith(served) for address in loaded)
    unnamed = browser.run(
        "return [...document.querySelectorAll('input:not([type=hidden]), select, textarea, button')].filter(each =>"
        "!each.closest('[hidden]') && !(each.labels?.length || each.ariaLabel || each.textContent.trim()))"
        ".map(each => each.outerHTML)"
    )
    assert unnamed == []
    assert browser.run("return document.querySelectorAll('h1').length") == (0 if name == "comparison" else 1)


def test_a_text_is_cut_while_it_is_typed(browser, served):
    browser.open(f"{served}/tokens")
    browser.wait(READY["tokens"])
    assert browser.text("#column-0 .numbers") == "1212 318 502 3047"
    browser.type("#text", "This is")
    browser.wait("document.querySelector('#column-0 .numbers').textContent === '1212 318'")
    browser.click("[data-show-next]")
    browser.choose("#column-2 select", "named:byte")
    browser.wait("document.querySelectorAll('#column-2 .tokens .token').length === 7")
    browser.drop("main h1", "text.txt", "me training")  # anywhere on the page
    browser.wait("document.querySelectorAll('#column-2 .tokens .token').length === 11")
    assert browser.run("return document.querySelector('.dropping')") is None


def test_nothing_of_a_text_is_run(browser, served):
    for name, field in (("tokens", "#text"), ("examples", "#text"), ("generation", "#prompt")):
        browser.open(f"{served}/{name}")
        browser.run(
            "const a = document.querySelector(arguments[0]); a.value = arguments[1];"
            "a.dispatchEvent(new Event('input', {bubbles: true}));",
            field,
            HOSTILE,
        )
        if name == "generation":
            browser.type("[name=max_tokens]", "5")
            browser.click("#write")
        browser.wait("document.querySelector('main').innerText.includes('onerror')")
        assert browser.run("return window.hurt ?? null") is None
        assert browser.run("return document.querySelectorAll('main img, main script').length") == 0


def test_nothing_of_a_runs_name_is_run(browser, served, studio):
    name = HOSTILE.replace("/", "|").replace("\u202e", "")
    shutil.copytree(studio.runs / "tiny", studio.runs / name)
    try:
        browser.open(f"{served}/training?runs={quote(name)}")
        browser.wait("document.querySelector('#chart svg') && document.querySelector('#cards article')")
        assert browser.run("return document.querySelector('#chart svg.wide').textContent.includes('onerror')")
        assert browser.run("return [window.hurt ?? null, document.querySelectorAll('main img, main script').length]") == [
            None,
            0,
        ]
    finally:
        shutil.rmtree(studio.runs / name)


def test_a_mistake_is_said_where_it_was_made(browser, served):
    browser.open(f"{served}/examples")
    browser.wait(READY["examples"])
    browser.type("[name=context_length]", "many")
    browser.wait("document.querySelector('.out .error')?.getAttribute('role') === 'alert'")
    assert len(re.findall(r"(?<!\d)400(?!\d)", browser.errors()[0])) == 1  # the browser notes the refusal; nothing else


def write(browser, served, tokens="20"):
    browser.open(f"{served}/generation?run=tiny")
    browser.type("[name=max_tokens]", tokens)
    browser.click("#write")


def test_a_text_is_written_and_led_another_way(browser, served):
    write(browser, served)
    browser.wait("document.querySelector('#column-0 .state').textContent.includes('a second')")
    first = browser.run("return [...document.querySelectorAll('#column-0 .text [data-at]')].map(each => each.textContent)")
    assert len(first) == 20
    assert browser.run("return document.querySelectorAll('#column-0 .along rect.s0').length") == 20
    browser.run("document.querySelector('#column-0 .text').focus()")
    browser.click("#column-0 [data-at='3']")
    browser.wait("!document.querySelector('#column-0 .choices').hidden")
    taken = browser.run("return document.querySelector('#column-0 .others tr:not(.own) td .token').textContent")
    browser.click("#column-0 .others tr:not(.own) button")
    browser.wait(
        "document.querySelectorAll('#column-0 .text [data-at]').length === 24"
        " && !document.querySelector('#column-0 [aria-busy]')"
    )
    second = browser.run("return [...document.querySelectorAll('#column-0 .text [data-at]')].map(each => each.textContent)")
    assert second[:3] == first[:3] and second[3] == taken != first[3]


@pytest.fixture
def slow_writing(monkeypatch):
    """A tiny model is done with 4,000 tokens before a busy browser has clicked."""
    event = ModelSession._event
    monkeypatch.setattr(ModelSession, "_event", lambda *arguments: time.sleep(0.02) or event(*arguments))


@pytest.mark.usefixtures("slow_writing")
def test_writing_is_stopped(browser, served):
    write(browser, served, "4000")
    browser.wait("document.querySelectorAll('#column-0 .text [data-at]').length > 5")
    browser.click("#stop")
    browser.wait("document.querySelector('#column-0 .state').textContent.startsWith('Stopped after')")
    count = browser.run("return document.querySelectorAll('#column-0 .text [data-at]').length")
    assert 5 < count < 4000
    write(browser, served)  # the one that was stopped holds nothing up
    browser.wait("document.querySelector('#column-0 .state').textContent.includes('a second')")


def test_two_write_side_by_side_from_the_same_seed(browser, served):
    browser.open(f"{served}/generation?run=tiny")
    browser.click("#second")
    browser.type("[name=max_tokens]", "10")
    browser.type("[name=sampler-1]", "-")
    browser.click("#write")
    browser.wait("[...document.querySelectorAll('.state')].every(each => each.textContent.includes('a second'))")
    cut = browser.run(
        "return [...document.querySelectorAll('.writer')].map(each => each.querySelectorAll('.along rect.s1').length)"
    )
    assert cut == [10, 10]
    assert "0.01%" in browser.text("#column-1 dl.figures") or "0%" in browser.text("#column-1 dl.figures")


def wait_for(path, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not path.is_file():
        time.sleep(0.05)
    return path.read_text(encoding="utf-8")


@pytest.mark.usefixtures("slow_writing")
def test_a_conversation_is_stopped_saved_undone_and_reset(browser, served, tmp_path):
    browser.open(f"{served}/chat?run=tiny")
    browser.wait("document.querySelector('#about .note')")  # a run that has learned no conversations
    browser.type("[name=max_tokens]", "4000")
    browser.type("[name=sampler]", "greedy")  # a text that repeats itself, and does not end before it is stopped
    browser.type("#question", "9 bottles")
    browser.click("#send")
    browser.wait("document.querySelector('.answered').textContent.length > 5")
    browser.click("#stop")
    browser.wait("document.querySelector('.end').textContent === 'Stopped.'")
    browser.wait("!document.querySelector('#send').disabled")
    browser.type("[name=max_tokens]", "3")
    browser.type("#question", HOSTILE[:40])
    browser.click("#send")
    browser.wait("document.querySelectorAll('.end')[1]?.textContent.includes('maximum')")
    assert browser.text(".exchange:last-child .asked") == HOSTILE[:40]
    browser.wait("!document.querySelector('#undo').disabled")
    browser.save_to(str(tmp_path))
    browser.run("document.querySelector('[name=system]').value = 'Be short.'")
    browser.click("#save")
    saved = wait_for(tmp_path / "conversation.jsonl")
    (piece,) = record_pieces(json.loads(saved), "Line 1")  # as a reader of files would
    assert [one["role"] for one in piece.record["messages"]] == ["system", "user", "assistant", "user", "assistant"]
    assert [one["content"] for one in piece.record["messages"]][3:] == [
        HOSTILE[:40],
        browser.text(".exchange:last-child .answered"),
    ]
    browser.click("#undo")
    assert browser.run("return document.querySelector('#question').value") == HOSTILE[:40]
    browser.click("#reset")
    assert browser.run("return document.querySelectorAll('.exchange').length") == 0


def test_a_run_is_seen_as_it_learns(browser, served, studio):
    shutil.copytree(studio.runs / "tiny", studio.runs / "growing", dirs_exist_ok=True)
    (studio.runs / "growing" / "result.json").unlink()
    browser.open(f"{served}/training?runs=growing")
    browser.wait(READY["training"])
    browser.click("input[value=loss]")
    before = browser.wait("document.querySelector('#chart svg .curve')?.getAttribute('d')")
    with open(studio.runs / "growing" / "metrics.jsonl", "a") as file:
        file.write(json.dumps({"kind": "step", "step": 400, "loss": 1.5, "tokens": 9}) + "\n")
    browser.wait("document.querySelector('#chart svg .curve').getAttribute('d') !== arguments[0]", 30, before)
    browser.wait("document.querySelector('#cards .figures').textContent.includes('400')")


def test_a_thousand_runs_are_listed(browser, served, studio):
    for number in range(1000):
        folder = studio.runs / f"many-{number:04}"
        folder.mkdir(exist_ok=True)
        (folder / "engine.json").write_text('{"stages": {"model": {"name": "gpt"}}}')
    try:
        browser.open(f"{served}/training?runs=tiny")
        assert "1,00" in browser.text("#runs .field span")
        browser.type("[name=filter]", "many 0777")
        browser.wait("document.querySelectorAll('.run').length === 1")
        assert browser.text(".run .name") == "many-0777"
    finally:
        for folder in studio.runs.glob("many-*"):
            shutil.rmtree(folder)


def test_a_head_is_chosen_and_shown(browser, served):
    browser.open(f"{served}/inside?run=tiny")
    browser.wait("document.querySelector('.head-map[aria-pressed=true]')")
    browser.click("#looked [data-at='2']")
    browser.wait("document.querySelector('#looks').textContent.includes('looks at')")
    assert "layer 1, head 1: “h” looks at" in browser.text("#looks")
    assert browser.run("return document.querySelector('#map').width") == len("This is me training") + 1


def test_what_was_written_is_traced(browser, served, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path_factory.getbasetemp() / "trace-cache"))
    write(browser, served, "30")
    browser.wait("!document.querySelector('#column-0 a.trace').hidden")
    browser.click("#column-0 a.trace")
    browser.wait("document.querySelector('.out dl.figures')?.textContent.includes('longest match')", 60)
    assert len(browser.run("return document.querySelector('#text').value")) > 0


def test_a_text_is_searched_opened_and_scored(browser, served, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path_factory.getbasetemp() / "trace-cache"))
    browser.open(f"{served}/text?run=tiny")
    browser.wait("document.querySelector('.leaf li')", 60)
    browser.type("[name=find]", "17 bottles")
    browser.wait("document.querySelector('.leaf mark')?.textContent === '17 bottles'")
    browser.click(".leaf button")
    browser.wait("document.querySelector('.sheet')?.textContent.includes('17 bottles')")
    browser.choose("[name=part]", "held-out")
    browser.wait("document.querySelector('.leaf') && !document.querySelector('.leaf mark')")
    browser.click("#score")
    browser.wait("document.querySelectorAll('#scores .passage').length > 1", 60)
    browser.wait("document.querySelector('#stop').disabled && document.querySelector('#progress').hidden")
    browser.click("#compare")
    browser.wait("document.querySelector('#duplicates .figures')?.textContent.includes('repeated to the letter')", 60)
    assert browser.run("return document.querySelector('#halt').disabled")


def test_a_studio_that_is_gone_is_missed_and_found_again(browser, serving):
    with serving(0) as address:
        port = int(address.split(":")[2].split("/")[0])
        browser.open(f"{address}/tokens")
        browser.wait(READY["tokens"])
    browser.type("#text", "This is")
    browser.wait("!document.querySelector('#lost').hidden")
    with serving(port):
        browser.wait("document.querySelector('#lost').hidden")
        browser.wait("document.querySelectorAll('#column-0 .tokens .token').length === 2")
    browser.errors()  # the browser notes each question that nobody answered
