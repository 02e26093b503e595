"""The catalogue: a broken plugin costs its own offers and nothing else; names are never taken silently."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import subprocess
import sys
import types

import pytest

from pentad import (
    HOOK_API_VERSION,
    Command,
    Implementation,
    NoOptions,
    Observer,
    Reader,
    Sampler,
    hookimpl,
)
from pentad.registry.catalogue import Catalogue, bundled
from pentad.registry.offers import Offer
from pentad.system.entry_points import EntryPoint
from pentad.testing import raises_code


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Return a function that installs a distribution whose plugin has this source, and returns its entry point."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(distribution, source, version="1.0", entry="plugin"):
        module = f"fake_{distribution}_{entry}".replace("-", "_")
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(source)
        facts = tmp_path / f"{distribution.replace('-', '_')}_{entry}-{version}.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (facts / "entry_points.txt").write_text(f"[pentad]\n{entry} = {module}\n")
        importlib.invalidate_caches()
        return EntryPoint(distribution, version, module)

    return install


GOOD = """
from pentad import Implementation, hookimpl
@hookimpl
def engine_samplers():
    return [Implementation(name={name!r}, summary="s", factory="never_imported:X")]
"""
HEAD = "from pentad import *\nfrom pentad import hookimpl, Implementation, Reader\n@hookimpl\ndef engine_samplers():\n"

BROKEN = {
    "import": ("import not_there_at_all", "ModuleNotFoundError: No module named 'not_there_at_all'"),
    "exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "syntax": ("def (", "SyntaxError: "),
    "none": (HEAD + "    return None", "engine_samplers: expected a list of Implementation records, found None"),
    "bare": (
        HEAD + "    return Implementation(name='x', summary='', factory='a:b')",
        "engine_samplers: expected a list of Implementation records",
    ),
    "words": (HEAD + "    return ['coin']", "engine_samplers: expected records of type Implementation, found 'coin'"),
    "raises": (HEAD + "    raise KeyError('x')", "engine_samplers: KeyError: 'x'"),
    "leaves": (HEAD + "    import sys; sys.exit()", "engine_samplers: SystemExit"),
    "newer": (f"pentad_api = {HOOK_API_VERSION + 1}\n" + GOOD.format(name="x"), f"hook API {HOOK_API_VERSION + 1}"),
    "no-hook": ("def engine_samplers():\n    return []", "implements no hook (is @hookimpl missing?)"),
    "unknown-hook": (HEAD.replace("engine_samplers", "engine_dreams") + "    return []", "engine_dreams"),
    "name": (
        HEAD + "    return [Implementation(name='Top K', summary='', factory='a:b')]",
        "lower-case letters, digits and dashes, found 'Top K'",
    ),
    "factory": (
        HEAD + "    return [Implementation(name='x', summary='', factory='a.b')]",
        "the factory of x must read module:Class or be callable, found 'a.b'",
    ),
    "options": (
        HEAD + "    return [Implementation(name='x', summary='', factory='a:b', options=int)]",
        "options must be a dataclass",
    ),
    "named-options": (
        HEAD + "    return [Implementation(name='x', summary='', factory='a:b', options='a.b')]",
        "the options of x must read module:Class or be a dataclass, found 'a.b'",
    ),
    "twice": (
        HEAD + "    return [Implementation(name='x', summary='', factory='a:b')] * 2",
        "engine_samplers: it offers the sampler x twice",
    ),
    "suffix": (
        HEAD.replace("engine_samplers", "engine_readers") + "    return [Reader(suffix='pdf', summary='', factory='a:b')]",
        "a suffix is a dot and lower-case letters or digits, found 'pdf'",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_noted_and_costs_nothing_else(installed, kind, monkeypatch):
    source, cause = BROKEN[kind]
    points = [installed("acme-bad", source, "0.3"), installed("acme-good", GOOD.format(name="coin"))]
    found = Catalogue(entry_points=points)
    assert [offer.full_name for offer in found.offers("sampler")] == ["acme-good:coin"]
    (problem,) = found.problems
    assert (problem.distribution, problem.version) == ("acme-bad", "0.3")
    assert cause in problem.cause and "\n" not in problem.cause
    assert "Traceback" in problem.details
    monkeypatch.setenv("PENTAD_STRICT", "1")
    monkeypatch.delitem(sys.modules, "fake_acme_bad_plugin", raising=False)
    with raises_code("plugin-broken"):
        Catalogue(entry_points=points)


def test_one_broken_hook_leaves_the_plugins_others(installed):
    source = GOOD.format(name="coin") + "@hookimpl\ndef engine_models():\n    raise ValueError('bad')\n"
    found = Catalogue(entry_points=[installed("acme", source)])
    assert [offer.name for offer in found.offers("sampler")] == ["coin"] and found.offers("model") == []
    assert [problem.cause for problem in found.problems] == ["engine_models: ValueError: bad"]


def test_a_name_offered_twice_is_refused_bare(installed):
    found = Catalogue(entry_points=[installed(name, GOOD.format(name="coin")) for name in ("zoo", "acme")])
    with raises_code("ambiguous-name") as caught:
        found.find("sampler", "coin")
    assert caught.value.message == "The sampler coin is offered by acme and zoo."
    assert caught.value.hint == "Say acme:coin or zoo:coin."
    assert found.find("sampler", "zoo:coin").distribution == "zoo"


def test_one_distribution_may_have_many_entry_points(installed):
    points = [installed("acme", GOOD.format(name=name), entry=name) for name in ("coin", "die", "coin2")]
    assert [offer.name for offer in Catalogue(entry_points=points).offers("sampler")] == ["coin", "coin2", "die"]


def test_unknown_names_get_advice(installed, monkeypatch):
    points = [installed("pentad-coin", GOOD.format(name="coin")), installed("pentad-top-k", "import gone", "0.2")]
    found = Catalogue(entry_points=points)
    monkeypatch.setattr("pentad.registry.catalogue.bundled", lambda: frozenset({"pentad-die", "pentad-parquet"}))

    def hint(kind, name):
        with raises_code("unknown-name") as caught:
            found.find(kind, name)
        return caught.value.hint

    assert hint("sampler", "coins") == "Did you mean coin? Installed: coin."
    assert hint("sampler", "zebra") == "Installed: coin."
    assert hint("sampler", "die") == "Install it with: pip install pentad-die"
    assert hint("reader", ".parquet") == "Install it with: pip install pentad-parquet"
    assert hint("sampler", "top-k").startswith("pentad-top-k 0.2 is installed but broken: ModuleNotFoundError")


def test_what_the_bundle_holds_is_read_from_its_metadata(monkeypatch):
    lines = ["pentad-core>=0.1,<0.2", "pentad.gpt", "pytest>=8; extra == 'dev'", "pentad-board>=1; extra == 'board'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: lines)
    bundled.cache_clear()
    assert bundled() == {"pentad-core", "pentad-gpt", "pentad-board"}
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: None)
    bundled.cache_clear()
    assert bundled() == frozenset()
    bundled.cache_clear()


def test_factories_resolve_only_when_asked(installed):
    found = Catalogue(entry_points=[installed("acme", GOOD.format(name="coin"))])
    with raises_code("implementation-broken") as caught:
        found.find("sampler", "coin").resolve()
    assert "pip install --force-reinstall acme" in caught.value.hint


NAMED = HEAD + "    return [Implementation(name='coin', summary='s', factory='a:b', options='{options}')]"


def test_options_may_be_named_and_are_imported_when_they_are_asked_for(installed, tmp_path):
    (tmp_path / "coin_options.py").write_text(
        "from dataclasses import dataclass\nfrom pentad import option\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Coin:\n    bias: float = option(0.5, 'How unfair.')\n"
    )
    offer = Catalogue(entry_points=[installed("acme", NAMED.format(options="coin_options:Coin"))]).find("sampler", "coin")
    assert "coin_options" not in sys.modules
    assert offer.options(bias=0.25).bias == 0.25
    assert sys.modules.pop("coin_options")


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ("coin_gone:Coin", "ModuleNotFoundError: No module named 'coin_gone'"),
        ("json:Coin", "AttributeError: module 'json' has no attribute 'Coin'"),
        ("json:JSONDecoder", "TypeError: options must be a dataclass"),
    ],
)
def test_named_options_that_are_none_say_who_named_them(installed, options, cause):
    offer = Catalogue(entry_points=[installed("acme", NAMED.format(options=options))]).find("sampler", "coin")
    with raises_code("implementation-broken") as caught:
        _ = offer.options
    assert all(word in caught.value.message for word in ("coin", "acme", "1.0", cause))


def test_what_has_no_options_has_none():
    offer = Offer(
        kind="reader", name=".x", record=Reader(suffix=".x", summary="", factory="a:b"), distribution="a", version="1"
    )
    assert offer.options is NoOptions


def test_what_a_factory_returns_is_checked():
    @hookimpl
    def engine_samplers():
        return [Implementation(name="coin", summary="", factory=lambda options: options)]

    found = Catalogue(entry_points=[])
    found._load("acme", "1", lambda: types.SimpleNamespace(engine_samplers=engine_samplers))
    with raises_code("plugin-contract"):
        found.find("sampler", "coin").make(3)


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (lambda options, *, vocab_size: (options, vocab_size), (3, 5)),
        (lambda options, device, **others: (options, device, others), (3, "cpu", {})),
        (lambda options: (options,), (3,)),
    ],
)
def test_a_factory_gets_what_it_names(factory, expected):
    class Made(Sampler):
        def __init__(self, given):
            self.given = given

        def probabilities(self, logits, tokens):
            return logits.softmax(dim=-1)

    def make(*arguments, **named):
        return Made(factory(*arguments, **named))

    make.__signature__ = inspect.signature(factory)
    record = Implementation(name="coin", summary="", factory=make)
    offer = Offer(kind="sampler", name="coin", record=record, distribution="acme", version="1")
    assert offer.make(3, vocab_size=5, device="cpu").given == expected


def test_every_kind_of_record_is_kept():
    @hookimpl
    def engine_readers():
        return [Reader(suffix=".tar.gz", summary="", factory="a:b")]

    @hookimpl
    def engine_observers():
        return [Observer(name="board", summary="", factory="a:b")]

    @hookimpl
    def engine_commands():
        return (Command(name="export", summary="", factory="a:b"),)

    found = Catalogue(entry_points=[])
    hooks = {hook.__name__: hook for hook in (engine_readers, engine_observers, engine_commands)}
    found._load("acme", "1", lambda: types.SimpleNamespace(**hooks))
    assert [len(found.offers(kind)) for kind in ("reader", "observer", "command", "model")] == [1, 1, 1, 0]


def test_a_plugin_may_be_one_file(tmp_path, monkeypatch):
    path = tmp_path / "my_coin.py"
    path.write_text(GOOD.format(name="coin"))
    offer = Catalogue([path], entry_points=[]).find("sampler", "coin")
    assert (offer.distribution, offer.version) == (str(path), "unpackaged")
    assert Catalogue([str(path)], entry_points=[]).find("sampler", "coin")  # a second time in one process
    monkeypatch.delitem(sys.modules, "my_coin")


@pytest.mark.parametrize(
    ("name", "source", "code"),
    [
        ("gone.py", None, "file-missing"),
        ("json.py", "", "name-taken"),
        ("a_b.txt", "", "not-a-python-file"),
        ("v1.2.py", "raise ValueError('x')", "plugin-broken"),
        ("my_broken.py", "import not_there", "plugin-broken"),
        ("my_empty.py", "", "plugin-broken"),
    ],
)
def test_a_file_that_is_no_plugin(tmp_path, name, source, code):
    if source is not None:
        (tmp_path / name).write_text(source)
    with raises_code(code):
        Catalogue([tmp_path / name], entry_points=[])
    sys.modules.pop("my_empty", None)


def test_the_installed_plugins_are_sound_and_import_no_torch():
    code = (
        "import sys; from pentad import Catalogue;"
        "print([problem.cause for problem in Catalogue().problems], {'torch', 'numpy'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] set()\n"
