"""Runs on the disk: they open anywhere, and nothing in them is trusted before it is checked."""

from __future__ import annotations

import ast
import json
import pickle
import shutil
import types
from pathlib import Path

import pytest
import torch

from pentad import Catalogue, Choice, Implementation, Limits, SavedRun, hookimpl, open_run, resume, run
from pentad.testing import raises_code


@pytest.fixture(autouse=True)
def _cache(cache):
    """Keep what every test here makes of its text in the cache of the session."""


@pytest.fixture(scope="module")
def original_run(tmp_path_factory, cache, tiny_recipe):
    folder = tmp_path_factory.mktemp("original")
    (folder / "text.txt").write_text("a cat sat. " * 200)
    run(tiny_recipe(folder / "text.txt", steps=2, sampler=Choice("top-k", k=3)), out=folder / "run")
    return folder / "run"


@pytest.fixture
def trained_run(original_run, tmp_path):
    return shutil.copytree(original_run, tmp_path / "copy")


def test_a_moved_run_generates_the_same(trained_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = [sample.text for sample in open_run("copy").generate("a", max_tokens=8, samples=2)]
    shutil.move(trained_run, tmp_path / "elsewhere")
    recipe = tmp_path / "elsewhere/recipe.toml"
    recipe.write_text(recipe.read_text().replace("text.txt", "gone.txt"))  # generating needs no text
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "another machine's"))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    saved = open_run("../elsewhere")
    assert isinstance(saved, SavedRun)
    assert [sample.text for sample in saved.generate("a", max_tokens=8, samples=2)] == before


def test_a_run_finds_its_text_from_another_folder(tiny_recipe, tmp_path, monkeypatch):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    (tmp_path / "here/a.txt").write_text("a cat sat. " * 200)
    (tmp_path / "here/b.txt").write_text("the cat slept. " * 20)
    (tmp_path / "there/a.txt").write_text("a dog ran. " * 200)
    monkeypatch.chdir(tmp_path / "here")
    recipe = tiny_recipe({"sources": ["a.txt"], "held_out_sources": ["b*.txt"]}, steps=2)
    score = run(recipe, out="run").bits_per_byte
    monkeypatch.chdir(tmp_path / "there")
    saved = open_run("../here/run")
    assert saved.evaluate().bits_per_byte == score
    assert resume("../here/run", steps=3).step == 3
    (tmp_path / "here/a.txt").unlink()
    with raises_code("run-text-missing"):
        saved.evaluate()


def test_nothing_is_ever_unpickled(trained_run, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("pickle")

    for module, name in ((torch, "load"), (pickle, "load"), (pickle, "loads"), (pickle, "Unpickler")):
        monkeypatch.setattr(module, name, never)
    open_run(trained_run).generate("a")
    resume(trained_run, steps=3)
    for path in trained_run.rglob("*"):
        assert path.is_dir() or path.read_bytes()[:2] not in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05"), path


UNSAFE = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
"""Modules whose files can run code."""


def unpickles(node):
    """Say whether a piece of a program reads or writes such files."""
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] in UNSAFE for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] in UNSAFE
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("torch.load", "torch.save") or any(
            word.arg == "allow_pickle" and not (isinstance(word.value, ast.Constant) and word.value.value is False)
            for word in node.keywords
        )
    return False


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", True),
        ("def f():\n    from marshal import loads", True),
        ("torch.load(path, weights_only=True)", True),
        ("np.load(path, allow_pickle=True)", True),
        ("np.load(path, allow_pickle=False); safetensors.torch.save(x); import json", False),
    ],
)
def test_pickling_is_found(source, found):
    assert any(map(unpickles, ast.walk(ast.parse(source)))) == found


def test_no_source_pickles():
    root = Path(__file__).parents[3]
    for path in (*root.glob("core/**/*.py"), *root.glob("plugins/**/*.py"), *root.glob("cli/**/*.py")):
        source = path.read_text(encoding="utf-8")
        if not any(word in source for word in (*UNSAFE, "torch.load", "torch.save")):
            continue  # parsing takes longer than reading
        assert not [ast.unparse(node) for node in ast.walk(ast.parse(source)) if unpickles(node)], path


def edit(path, change):
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))


@pytest.mark.parametrize(
    ("change", "code", "way_out"),
    [
        (lambda facts: facts.update(format=2), "format-too-new", "pip install --upgrade pentad-core"),
        (lambda facts: facts.update(format="1"), "run-damaged", ""),
        (lambda facts: facts.update(stages=[]), "run-damaged", ""),
        (lambda facts: facts["stages"].update(model=3), "run-damaged", ""),
        (lambda facts: facts.update(tokenizer_files="0"), "run-changed", ""),
        (
            lambda facts: facts["stages"]["model"].update(distribution="pentad-mamba", version="0.7"),
            "maker-missing",
            "pip install pentad-mamba==0.7",
        ),
        (
            lambda facts: facts["stages"]["model"].update(distribution="./mine.py", version="unpackaged"),
            "maker-missing",
            "--plugin ./mine.py",
        ),
    ],
)
def test_what_engine_json_says_is_checked(trained_run, change, code, way_out):
    edit(trained_run / "engine.json", change)
    for door in (open_run, resume):
        with raises_code(code) as caught:
            door(trained_run)
        assert str(trained_run) in caught.value.message and way_out in caught.value.hint


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.update(estimate=None),
        lambda facts: facts["estimate"].update(seconds_per_step=float("nan")),
        lambda facts: facts.update(compiled="yes"),
        lambda facts: facts.update(data="x"),
        lambda facts: facts.update(tokenizer=None),
    ],
)
def test_what_resume_needs_is_checked(trained_run, change):
    edit(trained_run / "engine.json", change)
    with raises_code("run-damaged"):
        resume(trained_run, steps=9)


def test_a_swapped_tokenizer_is_refused(trained_run):
    path = next(path for path in (trained_run / "tokenizer").iterdir() if path.is_file())
    path.write_bytes(path.read_bytes() + b" ")
    for door in (open_run, resume):
        with raises_code("run-changed"):
            door(trained_run)


def test_an_edited_recipe_is_refused(trained_run):
    path = trained_run / "recipe.toml"
    path.write_text(path.read_text().replace("n_embd = 8", "n_embd = 16"))
    with raises_code("checkpoint-mismatch"):
        open_run(trained_run)
    path.write_text(path.read_text().replace("n_embd", "n_width"))
    with raises_code("recipe-mismatch"):
        open_run(trained_run)
    edit(trained_run / "engine.json", lambda facts: facts["stages"]["model"].update(version="0.0.1"))
    with raises_code("recipe-mismatch") as caught:
        open_run(trained_run)
    assert caught.value.hint == "pip install pentad-gpt==0.0.1"


def test_a_name_that_another_distribution_took_later_is_no_trouble(trained_run):
    from pentad_gpt.options import GPTOptions

    @hookimpl
    def engine_models():
        return [Implementation(name="gpt", summary="", factory="never:imported", options=GPTOptions)]

    catalogue = Catalogue()
    catalogue._load("acme", "1", lambda: types.SimpleNamespace(engine_models=engine_models))
    assert open_run(trained_run, catalogue=catalogue).generate("a", max_tokens=2)
    assert resume(trained_run, catalogue=catalogue, steps=3).step == 3


def test_a_folder_that_is_no_run(tmp_path):
    for folder in (tmp_path / "gone", tmp_path):
        with raises_code("not-a-run"):
            open_run(folder)


def test_a_chain_gives_each_sampler_its_options(trained_run):
    saved = open_run(trained_run)
    plain = saved.generate("a", max_tokens=8, sampler=Choice("top-k", k=1))[0].text
    for options in ({"k": 1}, {"top-k.k": 1}, {"k": 1, "top-k.temperature": 2.0}):
        assert saved.generate("a", max_tokens=8, sampler=Choice("top-k+min-p", **options))[0].text == plain
    with raises_code("chain-option") as caught:
        saved.generate("a", sampler=Choice("top-k+min-p", temperature=2.0))
    assert "--sampler.top-k.temperature or --sampler.min-p.temperature" in caught.value.hint
    with raises_code("unknown-option"):
        saved.generate("a", sampler=Choice("top-k+min-p", q=2.0))


def test_a_stream_is_the_text_in_pieces(trained_run):
    saved = open_run(trained_run)
    limits = Limits(max_tokens=8, seed=3)
    pieces = [event.text for event in saved.stream("a", limits=limits)]
    assert "".join(pieces) == saved.generate("a", max_tokens=8, seed=3)[0].text
