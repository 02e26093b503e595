from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

import pentad
import pentad.testing
import pentad_cli.tools
from pentad.config.options import describe
from pentad.registry.kinds import KINDS

ALIASES = {"Attention", "Record", "Role", "Stage", "State", "TokenIds"}
"""Names of types: there is nothing to run."""

HOOKS = [kind.hook for kind in KINDS.values()]


@pytest.fixture(scope="module")
def api(root):
    return (root / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def words_of_tests(root):
    """Every word of every test but these, which would find themselves."""
    files = [path for path in root.glob("tests/**/*.py") if path.parent.name != "docs"]
    return set(re.findall(r"\w+", "\n".join(path.read_text(encoding="utf-8") for path in files)))


def test_generated_pages_are_up_to_date(root):
    done = subprocess.run([sys.executable, str(root / "docs" / "generate.py"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_and_tested(hook, api, words_of_tests):
    assert f"\n### {hook}\n" in api
    assert hook in words_of_tests, f"no test mentions {hook}"


@pytest.mark.parametrize("name", pentad.__all__)
def test_every_public_name_is_documented_and_tested(name, api, words_of_tests):
    assert f"\n### pentad.{name}\n" in api
    assert name in words_of_tests | ALIASES, f"no test mentions {name}"


@pytest.mark.parametrize("name", pentad_cli.tools.__all__)
def test_every_name_for_commands_of_plugins_is_documented(name, api):
    assert f"\n### pentad_cli.tools.{name}\n" in api


@pytest.mark.parametrize("name", pentad.testing.__all__)
def test_every_name_of_the_conformance_kit_is_documented_and_tested(name, api, words_of_tests):
    assert f"pentad.testing.{name}" in api
    assert name in words_of_tests, f"no test mentions {name}"


def test_every_option_has_help():
    from pentad.registry.catalogue import Catalogue

    offers = [offer for kind in KINDS for offer in Catalogue().offers(kind) if hasattr(offer.record, "options")]
    silent = [f"{offer.name}.{spec.name}" for offer in offers for spec in describe(offer.options) if not spec.help]
    assert not silent


def test_the_page_tells_the_hook_api_version(api):
    assert f"Hook API version: **{pentad.HOOK_API_VERSION}**" in api


def test_public_functions_and_classes_have_docstrings(root):
    silent = []
    for path in (root / "core" / "pentad").glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            named = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in pentad.__all__
            silent += [node.name] if named and not ast.get_docstring(node) else []
    assert not silent


def test_what_must_be_written_is_marked(api):
    assert "- `@abstractmethod @property vocab_size: int`" in api
    assert "- `@abstractmethod def probabilities(" in api
    assert "- `@property end_of_text: int`" in api


def test_every_contract_links_an_implementation(api, root):
    chapters = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", api, re.MULTILINE))
    contracts = ["Tokenizer", "Example builder", "Model", "Optimizer", "Objective", "Sampler", "Session", "Evaluator", "Reward"]
    contracts += ["Adapter", "Sizes", "Format", "Corpora, readers and commands", "Running"]
    for chapter in contracts:
        links = re.findall(r"\[`.+?`\]\(\.\./(plugins/[\w./-]+\.py)\)", chapters[chapter].partition("\n### ")[0])
        assert links, f"{chapter} links none"
        assert all((root / link).is_file() for link in links)
