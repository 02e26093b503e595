"""The pages' main ways in Firefox: they load without a complaint, cut, write, converse, start a run and stop it."""

from __future__ import annotations

import shutil

import pytest

PAGES = ("examples", "training", "generation", "inside", "trace", "text", "comparisons")

HOSTILE = "</textarea><script>window.hurt=1</script><img src=x onerror='window.hurt=1'>"

DRAWN = {
    "examples": "document.querySelectorAll('.arrow').length > 3",
    "training": "document.querySelector('#chart svg')",
    "inside": "document.querySelector('#map')?.width > 10",
    "trace": "document.querySelector('.out dl.figures')",
    "text": "document.querySelector('.leaf li')",
}


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.getbasetemp() / "trace-cache"))
        yield


@pytest.fixture(autouse=True)
def no_complaints(firefox):
    yield
    assert firefox.errors() == []


def test_every_page_is_drawn_and_fits(firefox, served):
    firefox.look(360)
    for name in PAGES:
        firefox.open(f"{served}/{name}?run=tiny&runs=tiny")
        firefox.wait(DRAWN.get(name, "document.querySelector('h1')"), 60)
        wanted, shown = firefox.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert wanted <= shown, name
    firefox.look(1600)


def test_a_text_is_typed_dropped_and_cut(firefox, served):
    firefox.open(f"{served}/tokens")
    firefox.wait("document.querySelector('#column-0 .numbers')?.textContent === '1212 318 502 3047'")
    firefox.type("#text", "This is")
    firefox.wait("document.querySelector('#column-0 .numbers').textContent === '1212 318'")
    colours = "[...document.querySelectorAll('#column-0 .tokens .token')].map(each => getComputedStyle(each).backgroundColor)"
    assert len(set(firefox.run(f"return {colours}"))) == 2
    firefox.drop("h1", "a.txt", HOSTILE)
    firefox.wait("document.querySelector('#column-0 .tokens').textContent.includes('onerror')")
    assert firefox.run("return [window.hurt ?? null, document.querySelectorAll('main img, main script').length]") == [None, 0]


def test_a_text_is_written_and_led_another_way(firefox, served):
    firefox.open(f"{served}/generation?run=tiny")
    firefox.type("[name=max_tokens]", "8")
    firefox.click("#write")
    firefox.wait("document.querySelector('#column-0 .state').textContent.includes('a second')")
    assert firefox.run("return document.querySelectorAll('#column-0 .along rect.s1').length") == 8
    firefox.click("#column-0 [data-at='3']")
    taken = firefox.run("return document.querySelector('#column-0 .others tr:not(.own) td .token').textContent")
    firefox.click("#column-0 .others tr:not(.own) button")
    firefox.wait("document.querySelectorAll('#column-0 .text [data-at]').length === 12")
    assert firefox.text("#column-0 [data-at='3']") == taken


def test_a_conversation_is_held(firefox, served, talker):
    firefox.open(f"{served}/chat?run={talker}")
    firefox.wait("document.querySelector('#about').textContent.includes('has learned conversations')")
    firefox.type("[name=max_tokens]", "4")
    firefox.type("#question", "1?\n")  # Enter sends it
    firefox.wait("document.querySelector('.exchange') && !document.querySelector('#send').disabled")
    assert firefox.text(".asked") == "1?"
    assert not firefox.run("return document.querySelector('#save').disabled")


def test_a_run_is_started_seen_and_stopped(firefox, served, studio, text_file):
    firefox.open(f"{served}/start")
    for field, words in (
        ("data", str(text_file)),
        ("budget", "100000"),
        ("name", "begun"),
    ):
        firefox.type(f"[name={field}]", words)
    for stage, name in (("tokenizer", "byte"), ("optimizer", "adamw")):
        firefox.choose(f"select[name={stage}]", name)
    firefox.run("document.querySelectorAll('details').forEach(each => { each.open = true })")
    sizes = {"model.n_layer": 1, "model.n_head": 1, "model.n_embd": 16, "training.context_length": 16}
    for field, size in {**sizes, "training.batch_size": 2, "machine.threads": 1, "generation.sample_every": 0}.items():
        firefox.wait(f"document.querySelector('[name=\"{field}\"]')")
        firefox.type(f"[name='{field}']", str(size))
    firefox.choose("[name='machine.compile']", "off")  # it would take longer than all the rest
    firefox.choose("[name='machine.precision']", "fp32")
    firefox.wait("document.querySelector('.command').textContent.includes('--machine.precision fp32')")
    firefox.click("#go")
    try:
        firefox.wait("location.search === '?runs=begun' && document.querySelector('[data-stop]')", 90)
        firefox.click("[data-stop]")
        firefox.wait("document.querySelector('[data-resume]')", 60)
        assert list((studio.runs / "begun" / "checkpoints").iterdir())
    finally:
        job = studio.jobs.get("begun")
        if job is not None and job.running:
            job.process.kill()
            job.process.wait(10)
        shutil.rmtree(studio.runs / "begun", ignore_errors=True)
