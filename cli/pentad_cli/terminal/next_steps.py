"""What to try after a run: commands that work as they are printed, in this folder and in this shell."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pentad.contracts.observer import Plan, RunResult
from pentad.registry.catalogue import Catalogue
from pentad.registry.offers import Offer
from pentad.system.errors import EngineError
from pentad_cli.arguments.layers import default_tables
from pentad_cli.terminal.started import engine_word, shell_word
from pentad_cli.terminal.text import visible_line

_SWITCHES = ("--json", "--debug", "--dry-run", "--drop-duplicates", "--strict")
_LEFT_OUT = ("--json", "--debug", "--out", "--model")
"""What is not repeated for the same run with another model; nor are the model's options."""

_LONGEST = 100
"""Characters of repeated flags from which the run's own recipe is shorter."""


_LONGEST_PROMPT = 60
"""Characters of a prompt that is suggested."""


def next_commands(
    result: RunResult,
    plan: Plan | None,
    catalogue: Catalogue,
    *,
    text: str = "",
    typed: Sequence[str] | None = None,
    plugins: Sequence[Path] = (),
) -> list[str]:
    """Return commands that work after a run.

    Args:
        result: how it ended.
        plan: what it was to do, or None where that is not known.
        catalogue: what is installed.
        text: the beginning of the training text.
        typed: the arguments of `engine run`, or None where another command trained.
        plugins: files of --plugin, without which nothing opens the run.
    """
    engine, folder = engine_word(), shell_word(str(result.folder))
    more = "".join(f" --plugin {shell_word(str(path))}" for path in plugins)
    commands = []
    if _answers(result, plan) and any(offer.name == "chat" for offer in catalogue.offers("command")):
        commands.append(f"{engine} chat {folder}{more}")
    elif result.samples:  # a bidirectional model without a mask writes none
        commands.append(f"{engine} generate {folder}{_prompt_flag(result, text)}{more}")
    if result.evaluation is not None:  # else there is nothing of its own to score
        commands.append(f"{engine} evaluate {folder}{more}")
    other = _other_model(plan, catalogue) if plan and result.samples and not result.samples[0].masked else None
    if other:
        commands.append(f"{engine} run{_same_run(result, typed, more)} --model {other}")
    return commands


def _answers(result: RunResult, plan: Plan | None) -> bool:
    """Whether the samples answer questions of the text, whose special tokens cannot be typed as a prompt."""
    if plan is None or not result.samples:
        return False
    prompt = result.samples[0].prompt
    return prompt.startswith("<|") and prompt != plan.recipe.generation.prompt


def _other_model(plan: Plan, catalogue: Catalogue) -> str | None:
    """Return another model that can learn the same; none where the run starts from one, whose weights fit no other.

    It is one that the run's own model names for comparison, else the default, else the first.
    """
    if plan.recipe.start.run is not None:
        return None
    own = plan.recipe.choice("model").name
    others = {offer.name: offer for offer in catalogue.offers("model") if offer.name not in own.split(":")}
    named = [name for offer in catalogue.offers("model") if offer.name not in others for name in offer.record.compare_with]
    preferred = [name for name in (*named, default_tables()["model"]["name"]) if name in others]
    return next((name for name in (*preferred, *others) if _causal(others[name])), None)


def _causal(offer: Offer[Any]) -> bool:
    try:
        return "causal" in getattr(offer.resolve(), "attention", ("causal",))
    except EngineError:
        return False


def _same_run(result: RunResult, typed: Sequence[str] | None, more: str) -> str:
    """Return the flags that make the same run: as they were typed, or by its recipe where they were not or are many."""
    if typed is not None:
        flags = "".join(f" {shell_word(word)}" for word in _repeated(typed))
        if len(flags) <= _LONGEST:
            return flags
    return f" --config {shell_word(str(result.folder / 'recipe.toml'))}{more}"


def _repeated(typed: Sequence[str]) -> list[str]:
    kept: list[str] = []
    place = 0
    while place < len(typed):
        flag = typed[place].partition("=")[0]
        takes = flag.startswith("--") and "=" not in typed[place] and flag not in _SWITCHES
        end = place + 1 + (takes and place + 1 < len(typed) and not typed[place + 1].startswith("--"))
        if flag not in _LEFT_OUT and not flag.startswith("--model."):
            kept += typed[place:end]
        place = end
    return kept


def _prompt_flag(result: RunResult, text: str) -> str:
    """Return the flag for a prompt that the run's language goes on from; nothing where there is no short one."""
    first = result.samples[0] if result.samples else None
    prompt = (first.prompt if first else "") or _first_words(text)
    if first and first.masked:  # of three words the middle one is left to be filled in, unless the run had masks of its own
        words = prompt.split(" ")
        prompt = " ".join([words[0], "<mask>", words[-1]]) if len(words) == 3 else ""
        prompt = first.masked if len(first.masked) <= _LONGEST_PROMPT else prompt
    return f" --prompt {_quoted(prompt)}" if prompt == visible_line(prompt) and 0 < len(prompt) <= _LONGEST_PROMPT else ""


def _quoted(text: str) -> str:
    return shlex.quote(text) if re.search(r'["\\$`!]', text) else f'"{text}"'


def _first_words(text: str) -> str:
    """Return the first three words that stand together: what the model writes itself may be no words at all."""
    found = re.search(r"\b[^\W\d_]+(?: [^\W\d_]+){2}\b", text)
    return found.group() if found else ""


def opening(plan: Plan | None, catalogue: Catalogue) -> str:
    """Return the first two thousand characters of a run's text; nothing where it cannot be read any more."""
    from pentad.data.corpus import open_corpus

    if plan is None:
        return ""
    with contextlib.suppress(EngineError):
        first = next(open_corpus(plan.recipe.data.sources, catalogue, plan.recipe.data).pieces(), None)
        return first.text[:2000] if first else ""
    return ""
