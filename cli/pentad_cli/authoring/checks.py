"""The conformance kit from the command line: everything that a distribution or a file offers, every check, one table."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pentad.config.options import describe
from pentad.registry.catalogue import Catalogue
from pentad.registry.kinds import KINDS
from pentad.registry.offers import Offer
from pentad.registry.records import resolve
from pentad.system.errors import UsageError, did_you_mean
from pentad_cli.arguments.stage_command import SpecOption
from pentad_cli.group import installed
from pentad_cli.terminal.output import paint, say, say_json, terminal_width, wrap
from pentad_cli.terminal.text import plural, visible_line

if TYPE_CHECKING:
    from pentad.testing.conformance import Conformance

SMALL_VOCABULARY = 600
"""Ids of a tokenizer under check: what the kit's 60,000 characters can give."""

_STYLES = {
    "passed": "green",
    "not checked": "yellow",
    "expected failure": "yellow",
    "failed": "bold red",
    "unexpected pass": "bold red",
}


@dataclass
class CheckRequest:
    """What to check: offers, and options by the word before the dot in their flags."""

    offers: list[Offer[Any]]
    options: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def params(self) -> list[SpecOption]:
        """Return a flag for each option of the offers."""
        specs = {(offer.table, spec.name): spec for offer in self.offers for spec in describe(offer.options)}
        return [SpecOption(table, spec) for (table, _), spec in specs.items()]


def request_for(name: str) -> CheckRequest:
    """Find what a distribution or a file offers, or one offer of it.

    Args:
        name: `pentad-gpt`, `./mine.py`, or with the name of one of its offers behind it: `pentad-gpt:gpt`, `./mine.py:coin`.

    Raises:
        UsageError: there is no such distribution, it is broken, or it offers nothing of that name.
    """
    source, _, one = name.rpartition(":") if ":" in name and not name.endswith(".py") else (name, "", "")
    is_file = source.endswith(".py")
    catalogue = Catalogue(plugin_files=[Path(source)]) if is_file else installed()
    source = os.path.normpath(source) if is_file else source  # as the catalogue spells it: mine.py for ./mine.py
    every = [offer for kind in KINDS for offer in catalogue.offers(kind)]
    found = [offer for offer in every if offer.distribution == source]
    _refuse_broken(source, is_file, catalogue)
    if not found:
        raise _unknown(source, every)
    chosen = [offer for offer in found if one in ("", offer.name)]
    if not chosen:
        names = [offer.name for offer in found]
        raise UsageError(
            f"{source} offers no {one!r}.",
            did_you_mean(one, names) or f"It offers {', '.join(dict.fromkeys(names))}.",
            code="unknown-name",
        )
    return CheckRequest(chosen)


def _refuse_broken(source: str, is_file: bool, catalogue: Catalogue) -> None:
    broken = [problem for problem in catalogue.problems if problem.distribution == source]
    if broken:
        version = "" if is_file else f" {broken[0].version}"
        listing = f"engine plugins --plugin {shlex.quote(source)} --debug" if is_file else "engine plugins --debug"
        raise UsageError(
            f"{source}{version} is broken: {broken[0].cause}",
            f"Correct it; {listing} shows the traceback.",
            code="distribution-broken",
        )


def _unknown(source: str, every: list[Offer[Any]]) -> UsageError:
    bare = {offer.name: offer for offer in every}
    near = did_you_mean(source, {offer.distribution for offer in every})
    return UsageError(
        f"No distribution {source!r} that offers anything is installed.",
        _alone(bare[source]) if source in bare else near or "engine plugins lists what is.",
        code="unknown-name",
    )


def _alone(offer: Offer[Any]) -> str:
    return f"Did you mean {offer.distribution}? {offer.full_name} checks the {offer.kind} alone."


def check_distribution(request: CheckRequest, as_json: bool) -> int:
    """Run the checks, show how each ended, and return the exit code."""
    import torch

    torch.set_num_threads(1)  # what the checks compute is tiny, and threads would only wait for each other
    results = []
    for offer in request.offers:
        if not as_json:
            say(f"{paint(offer.name, 'bold cyan')}  {paint(f'{offer.kind} of {offer.distribution} {offer.version}', 'dim')}")
        results += _check(offer, request.options.get(offer.table, {}), as_json)
    failed = [result for result in results if result["outcome"] in ("failed", "unexpected pass")]
    if as_json:
        say_json({"passed": not failed, "checks": results})
    else:
        say(f"{plural(len(results), 'check')}: {_verdict([result['outcome'] for result in results], len(failed))}")
    return 1 if failed else 0


def _verdict(outcomes: list[str], n_failed: int) -> str:
    """Say how many checks failed, and which others did not simply pass."""
    verdict = paint(f"{n_failed} failed", "bold red") if n_failed else paint("all passed", "bold green")
    beside = [(outcomes.count(outcome), outcome) for outcome in ("expected failure", "not checked")]
    said = [f"{number} {outcome}{'s' if number > 1 and outcome.endswith('e') else ''}" for number, outcome in beside if number]
    if said and not n_failed:
        verdict = paint("none failed", "bold green")
    return ", ".join([verdict, *said])


def kits_of(offer: Offer[Any], options: dict[str, Any]) -> list[type[Conformance]]:
    """Return the classes of the kit that check an offer, ready to run; more than one where it keeps several contracts."""
    base = resolve(KINDS[offer.kind].conformance)
    names = {spec.name for spec in describe(offer.options)}
    small = {"vocab_size": SMALL_VOCABULARY} if offer.kind == "tokenizer" and "vocab_size" in names else {}
    subject: Any = type(f"Check{offer.name}", (base,), {"implementation": offer.record, "options": {**small, **options}})
    kits: list[type[Conformance]] = subject.kits()
    return kits


def _check(offer: Offer[Any], options: dict[str, Any], as_json: bool) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for kit in kits_of(offer, options):
        done = {result["check"] for result in results}
        for check in (check for check in kit.checks() if check not in done):
            result = kit().run(check)
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
