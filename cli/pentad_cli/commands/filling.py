"""`<mask>` and `<fill>` in the prompt of `engine generate`: the texts between which a model fills in, and what it wrote there.

The two are read in the prompt of the command alone, by splitting it: what stands between them is plain text, and text that is
learned or that documents hold never becomes a control token.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pentad.system.errors import UsageError
from pentad_cli.terminal.output import paint, say
from pentad_cli.terminal.probabilities import header, row
from pentad_cli.terminal.text import plural
from pentad_cli.terminal.writing import TextWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pentad.config.recipe import Choice
    from pentad.contracts.session import Limits, TokenEvent
    from pentad.runs.saved_run import SavedRun
    from pentad_cli.terminal.generated import Display

MASK, FILL = "<mask>", "<fill>"


def parts_of(saved: SavedRun, prompt: str, suffix: str | None, plain: bool) -> list[str] | None:
    """Return the parts of a text between which a run is to fill in, or None where it is to write on.

    Args:
        saved: the run: one of a masked model reads `<mask>`, one that fills gaps `<fill>`.
        prompt: of the command.
        suffix: of `--suffix`, or None.
        plain: whether both words are text in the prompt.

    Raises:
        UsageError: the two ways to give a suffix stand side by side, or the run does not fill in what is asked.
    """
    word = {"masks": MASK, "gap": FILL}.get(saved.fills, "")
    parts = [prompt] if plain or not word else prompt.split(word)
    if suffix is not None:
        if len(parts) > 1:
            raise UsageError(
                f"--suffix says what stands behind the gap; found {word} in --prompt as well.",
                "Leave out one of them, or read the prompt as it is with --plain-prompt.",
                code="options-conflict",
            )
        return [prompt, suffix]
    other = next((one for one in (MASK, FILL) if one != word and one in prompt), None)
    if other and not plain:
        does = {"masks": f"fills in {MASK}", "gap": f"fills in {FILL}"}.get(saved.fills, "writes on")
        say(paint(f"{other} is read as plain text: this run {does}.", "dim", sys.stderr), err=True)
    if len(parts) == 1 and not saved.builder.writes_on:
        return [*parts, ""]
    return parts if len(parts) > 1 or saved.fills == "masks" else None


def as_read(saved: SavedRun, parts: list[str] | None) -> list[str]:
    """Return the parts as the run reads them, without the spaces that belong to what is filled in; none where it writes on."""
    from pentad.inference.filling import trimmed

    return trimmed(saved.tokenizer, parts) if parts else []


def refuse_limits(saved: SavedRun, limits: Limits) -> None:
    """Make sure that nothing is asked for about the end of a text whose masks are filled.

    Raises:
        UsageError: it is.
    """
    flags = {
        "--stop": bool(limits.stop),
        "--min-new-tokens": limits.min_tokens > 0,
        "--ignore-end-of-text": limits.ignore_end,
    }
    given = next((flag for flag, is_given in flags.items() if is_given), None)
    if saved.fills == "masks" and given:
        raise UsageError(
            f"{given} says how a text ends; this run fills in {MASK}, and writes no end.",
            "Leave it out.",
            code="options-conflict",
        )


def show_filled(display: Display, parts: Sequence[str], sampler: Choice) -> None:
    """Write texts whose masks are filled in; on a terminal what was filled in is told apart."""
    saved, limits = display.saved, display.limits
    ids = saved.gap_prompt(parts).tolist()
    filled: list[dict[int, TokenEvent]] = [{} for _ in range(limits.samples)]
    for event in saved.stream(saved.gap_prompt(parts), sampler=sampler, limits=limits):
        assert event.position is not None
        filled[event.sequence][event.position] = event
    for number, events in enumerate(filled, 1):
        if limits.samples > 1:
            say(paint(f"--- sample {number} of {limits.samples}", "dim"))
        _write(saved, ids, {place: event.token for place, event in events.items()})
        if display.probabilities:
            say(paint(header(display.alternatives), "dim"))
            for event in events.values():
                say(row(saved, event, display.alternatives))
    masks = plural(len(filled[0]), "mask")
    say(paint(f"{masks} filled in, the surest first", "dim", sys.stderr), err=True)


def _write(saved: SavedRun, ids: Sequence[int], filled: dict[int, int]) -> None:
    """Write a text, pieces that were filled in and pieces that were given in turn."""
    writer, tokenizer = TextWriter(sys.stdout), saved.tokenizer
    piece: list[int] = []
    for place, token in enumerate(ids):
        if place and (place in filled) != (place - 1 in filled):
            writer.write(tokenizer.decode(piece), "bold" if place - 1 not in filled else "")
            piece = []
        piece.append(filled.get(place, token))
    writer.write(tokenizer.decode(piece), "bold" if len(ids) - 1 not in filled else "")
    writer.close()
