"""Which arms may be ranked together: those whose figures mean the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pentad_compare.records import ArmResult, Group
from pentad_compare.statistics import differences

LOOKS_BOTH_WAYS = (
    "These look at the text on both sides of a gap, so they give no probability of a text and have no bits per byte. "
    "Their losses are about other gaps than those of the rest: no ranking."
)
NOT_LOSSLESS = (
    "Their tokenizer does not keep every text, so that their bits per byte leave out what it changes. "
    "They compare with each other only as far as it changes the same."
)
FAILED = "No run of these came to an end, so there is nothing to compare."


def group(arms: Sequence[ArmResult], kinds: Mapping[str, str], baseline: str, confidence: float, detect: float) -> list[Group]:
    """Sort the arms into groups, best first where they are scored, and compare each with its group's baseline.

    Args:
        arms: all of them.
        kinds: label to why the arm stands apart, empty for one that is scored as usual.
        baseline: label of the arm that the others of its group are compared with; other groups take their first arm.
        confidence: of all intervals of a group together.
        detect: the difference that the seeds still needed are reckoned for.
    """
    found = []
    for reason in dict.fromkeys(["", *(kinds[arm.label] for arm in arms)]):
        mine = [arm for arm in arms if kinds[arm.label] == reason]
        if not mine:
            continue
        scored = sorted((arm for arm in mine if arm.mean is not None), key=lambda arm: arm.mean or 0.0)
        labels = [arm.label for arm in scored]
        first = baseline if baseline in labels else next((arm.label for arm in mine if arm.label in labels), "")
        scores = {
            arm.label: {each.seed: each.bits_per_byte for each in arm.seeds if each.bits_per_byte is not None} for arm in scored
        }
        found.append(
            Group(
                reason=reason,
                arms=[*labels, *(arm.label for arm in mine if arm.label not in labels)],
                baseline=first if len(labels) > 1 else "",
                differences=differences(scores, first, confidence=confidence, detect=detect) if len(labels) > 1 else (),
            )
        )
    return found
