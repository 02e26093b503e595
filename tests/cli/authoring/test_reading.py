"""Which implementation needs the least code: counted from the installed sources, with what it takes from other plugins."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pentad.config.stages import STAGES
from pentad.registry.catalogue import Catalogue
from pentad_cli.authoring.reading import code_lines, reachable, smallest_first

Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def ranked() -> dict[str, list[str]]:
    catalogue = Catalogue()
    return {stage: [offer.name for offer in smallest_first(catalogue.offers(stage))] for stage in STAGES}


def test_what_builds_on_another_comes_after_it(ranked: dict[str, list[str]]) -> None:
    assert ranked["sampler"].index("greedy") < ranked["sampler"].index("temperature") < ranked["sampler"].index("speculative")
    assert ranked["builder"].index("next-token") < ranked["builder"].index("multi-token")
    assert set(ranked["builder"]) == {offer.name for offer in Catalogue().offers("builder")}


def test_the_code_of_other_plugins_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "small_fake"
    package.mkdir()
    (package / "__init__.py").write_text('"""A docstring\nis no code.\n"""\n')
    (package / "mine.py").write_text(
        '"""No code."""\n\nA = [\n    1,\n]  # 3 lines\n\n\ndef made():\n    """No code."""\n    return A\n'
    )
    (package / "on.py").write_text("from pentad_greedy import sampler\n\nB = sampler\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    greedy = code_lines(["pentad_greedy.sampler:Greedy"])
    assert code_lines(["small_fake.mine:made", ""]) == 5
    assert code_lines(["small_fake.on:B"]) == 2 + greedy > 2
    found = [module for module, _ in reachable(["small_fake.on:B"], {"small_fake"})]
    assert found == ["small_fake.on", "small_fake"]


def test_a_new_plugin_ends_with_the_smallest_real_ones(cli: Cli, ranked: dict[str, list[str]]) -> None:
    last = cli("plugins", "new", "my-s", "--stage", "sampler").out.splitlines()[-1]
    assert last.endswith(f"engine plugins new my-s-2 --like {' | '.join(ranked['sampler'][:3])}")
    assert "--like" not in cli("plugins", "new", "my-s-2", "--like", ranked["sampler"][0]).out
    last = cli("plugins", "new", "my-b", "--stage", "builder").out.splitlines()[-1]
    assert cli(*last.partition("engine ")[2].partition(" |")[0].split()).code == 0  # also where a reward has the name


def test_the_help_names_small_ones(cli: Cli, ranked: dict[str, list[str]]) -> None:
    words = " ".join(cli("plugins", "new", "--help").out.split())
    named = re.search(r"Small ones, by stage: ([\w, -]+)\.", words)
    assert named
    for stage, name in zip(STAGES, named[1].split(", "), strict=True):
        assert name in ranked[stage][:3]


def test_counting_imports_no_torch() -> None:
    code = (
        "import sys\nfrom pentad.registry.catalogue import Catalogue\nfrom pentad_cli.authoring.reading import smallest_first\n"
        "assert smallest_first(Catalogue().offers('model'))\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
