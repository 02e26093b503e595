"""Whether every run spent what it was given: steps are whole, so a large one overshoots a small budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pentad.tools import Budget
from pentad_compare.records import ArmResult, SeedResult

TOLERANCE = 0.02
"""Share of the budget by which a run may miss it unnoticed."""


def spent(seed: SeedResult, unit: str) -> float:
    """Return what a run spent of a budget's unit."""
    return {"steps": float(seed.steps), "seconds": seed.training_seconds, "flops": seed.flops, "bytes": seed.bytes}[unit]


def planned(facts: Mapping[str, Any], unit: str) -> float:
    """Return what a run is going to spend, by its plan."""
    steps: float = facts["steps"]
    bytes_per_token = facts["train_bytes"] / max(1, facts["train_tokens"])
    price = {
        "steps": 1.0,
        "seconds": facts["seconds_per_step"] or 0.0,
        "flops": facts["flops_per_step"],
        "bytes": facts["tokens_per_step"] * bytes_per_token,
    }
    return steps * float(price[unit])


def missed_by_plan(label: str, facts: Mapping[str, Any], budget: Budget) -> Iterator[str]:
    """Say before the training that an arm will miss its budget."""
    if budget.unit == "epochs":  # every arm makes that many passes over the same text, and at most a step more
        return
    share = planned(facts, budget.unit) / budget.amount
    # Of time the plan knows only an estimate, so only a step that is longer than all of it is sure to miss.
    if abs(share - 1) > TOLERANCE and (budget.unit != "seconds" or facts["steps"] <= 1):
        yield f"{label} will spend {share:.3g} times the budget: {_because(facts['steps'])}."


def missed(arms: Sequence[ArmResult], budget: Budget) -> Iterator[str]:
    """Say of the arms whose runs missed the budget that their scores were bought at another price."""
    if budget.unit == "epochs":
        return
    for arm in arms:
        done = [each for each in arm.seeds if not each.failure]
        shares = [spent(each, budget.unit) / budget.amount for each in done]
        worst = max(shares, key=lambda share: abs(share - 1), default=1.0)
        if abs(worst - 1) > TOLERANCE:
            steps = min(each.steps for each in done)
            yield f"{arm.label} spent {worst:.3g} times the budget: {_because(steps)}. Its score was bought at that price."


def _because(steps: int) -> str:
    return f"steps are whole, and it did {steps}" if steps > 1 else "one step costs as much"
