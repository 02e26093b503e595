"""Whether the range of what was tuned was wide enough."""

from __future__ import annotations

from collections.abc import Iterator

from pentad_compare.records import ArmResult


def at_the_edge(arm: ArmResult) -> Iterator[str]:
    """Yield a note for each option whose best value is the lowest or the highest that was tried."""
    chosen = next((candidate for candidate in arm.candidates if candidate.chosen), None)
    for option, text in chosen.options.items() if chosen else ():
        numbers = [_number(candidate.options[option]) for candidate in arm.candidates]
        tried = sorted({number for number in numbers if number is not None})
        best = _number(text)
        if best is not None and len(tried) > 1 and best in (tried[0], tried[-1]):
            end = "lowest" if best == tried[0] else "highest"
            yield f"The best {option} of {arm.label}, {text}, is the {end} that was tried; beyond it may be a better one."


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
