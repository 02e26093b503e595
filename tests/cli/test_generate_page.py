"""docs/generate.md: it names what is installed, and its commands do what they show, on a run of six steps."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from pentad import Catalogue
from pentad.tools import describe

from .conftest import Result

PAGE = (Path(__file__).parents[2] / "docs" / "generate.md").read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    table = PAGE.partition("## Which sampler, for what")[2].partition("The last four")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| `")]


def test_the_table_has_every_sampler_with_its_options_and_defaults() -> None:
    catalogue, named = Catalogue(), []
    for names, _, options, *_ in rows():
        samplers = re.findall(r"`([a-z-]+)`", names)
        offers = [catalogue.find("sampler", name) for name in samplers]
        specs = {spec.name: spec for offer in offers for spec in describe(offer.options)}
        shown = dict(re.findall(r"`(\w+)`(?: \(([\d.]+))?", options))
        assert set(shown) == set(specs), samplers
        for name, value in shown.items():
            assert not value or float(value) == specs[name].default
        named += samplers
    shipped = {offer.name for offer in catalogue.offers("sampler") if offer.distribution.startswith("pentad-")}
    assert sorted(named) == sorted(shipped)


def test_the_costs_name_every_sampler_that_draws() -> None:
    costs = set(re.findall(r"`([a-z-]+)`", PAGE.partition("## What they cost")[2].partition("Speculative")[0]))
    assert {name for cells in rows() for name in re.findall(r"`([a-z-]+)`", cells[0])} - costs == {"speculative"}


def test_its_commands_work(cli: Callable[..., Result], trained: Path) -> None:
    commands = [shlex.split(line[2:]) for line in re.findall(r"^\$ engine .*$", PAGE, re.MULTILINE)]
    assert len(commands) == 4
    for _, *words in commands:
        words += [] if "--max-tokens" in words else ["--max-tokens", "120"]  # as that run has it
        result = cli(*(str(trained) if word == "runs/small" else word for word in words))
        assert result.code == 0, result.err
        if "--sampler.pattern" in words:
            assert all(re.fullmatch("Enter ([A-Z]{5,6})(, [A-Z]{5,6}){0,2}", line) for line in result.out.splitlines()[1::2])
