"""The conformance kit from the command line: every stage implementation of a distribution, every check, one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pentad.config.options import describe
from pentad.config.stages import STAGE_SPECS, STAGES
from pentad.registry.catalogue import Catalogue, Offer
from pentad.registry.records import resolve
from pentad.system.errors import UsageError, did_you_mean
from pentad_cli.group import installed
from pentad_cli.output import paint, say, say_json, terminal_width, wrap
from pentad_cli.stage_command import SpecOption
from pentad_cli.text import plural, visible_line

SMALL_VOCABULARY = 600
"""Ids of a tokenizer under check: what the kit's 60,000 characters can give."""

_STYLES = {"passed": "green", "expected failure": "yellow", "failed": "bold red", "unexpected pass": "bold red"}


@dataclass
class CheckRequest:
    """What to check: offers, and options by stage."""

    offers: list[Offer[Any]]
    options: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def params(self) -> list[SpecOption]:
        """Return a flag for each option of the offers."""
        specs = {(offer.kind, spec.name): spec for offer in self.offers for spec in describe(offer.options)}
        return [SpecOption(kind, spec) for (kind, _), spec in specs.items()]


def request_for(name: str) -> CheckRequest:
    """Find the stage implementations of a distribution or of a file.

    Raises:
        UsageError: there is no such distribution, it is broken, or it offers no stage.
    """
    is_file = name.endswith(".py")
    catalogue = Catalogue(plugin_files=[Path(name)]) if is_file else installed()
    name = str(Path(name)) if is_file else name  # as the catalogue spells it: mine.py for ./mine.py
    every = [offer for stage in STAGES for offer in catalogue.offers(stage)]
    found = [offer for offer in every if offer.distribution == name]
    broken = [problem for problem in catalogue.problems if problem.distribution == name]
    if broken:
        raise UsageError(
            f"{name} {broken[0].version} is broken: {broken[0].cause}",
            "engine plugins --debug shows the traceback.",
            code="distribution-broken",
        )
    if not found:
        bare = {offer.name: offer.distribution for offer in every}
        near = f"Did you mean {bare[name]}?" if name in bare else did_you_mean(name, {offer.distribution for offer in every})
        raise UsageError(
            f"No distribution {name!r} that offers a stage is installed.",
            near or "engine plugins lists what is.",
            code="unknown-name",
        )
    return CheckRequest(found)


def check_distribution(request: CheckRequest, as_json: bool) -> int:
    """Run the checks, show how each ended, and return the exit code."""
    results = []
    for offer in request.offers:
        if not as_json:
            say(f"{paint(offer.name, 'bold cyan')}  {paint(f'{offer.kind} of {offer.distribution} {offer.version}', 'dim')}")
        results += _check(offer, request.options.get(offer.kind, {}), as_json)
    failed = [result for result in results if result["outcome"] in ("failed", "unexpected pass")]
    if as_json:
        say_json({"passed": not failed, "checks": results})
    else:
        verdict = paint(f"{len(failed)} failed", "bold red") if failed else paint("all passed", "bold green")
        say(f"{plural(len(results), 'check')}: {verdict}")
    return 1 if failed else 0


def _check(offer: Offer[Any], options: dict[str, Any], as_json: bool) -> list[dict[str, Any]]:
    base = resolve(STAGE_SPECS[offer.kind].conformance)
    names = {spec.name for spec in describe(offer.options)}
    small = {"vocab_size": SMALL_VOCABULARY} if offer.kind == "tokenizer" and "vocab_size" in names else {}
    subject: Any = type(f"Check{offer.name}", (base,), {"implementation": offer.record, "options": {**small, **options}})
    results = []
    for check in subject.checks():
        result = subject().run(check)
        results.append(
            {"stage": offer.kind, "name": offer.name, "check": check, "outcome": result.outcome, "note": result.note}
        )
        if not as_json:
            _say_check(check, result.outcome, result.note)
    return results


def _say_check(check: str, outcome: str, note: str) -> None:
    say(f"  {paint(f'{outcome:<7}', _STYLES[outcome])}  {check.replace('_', ' ')}")
    if note:
        for line in wrap(visible_line(note.removeprefix(f"{check}: ")), terminal_width() - 11):
            say(" " * 11 + line)
