"""Whether every run spent its budget: steps are whole, so a large one overshoots a small budget."""

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


def planned(plan: Mapping[str, Any], unit: str) -> float:
    """Return what a run is going to spend, by its plan."""
    steps: float = plan["steps"]
    bytes_per_token = plan["train_bytes"] / max(1, plan["train_tokens"])
    price = {
        "steps": 1.0,
        "seconds": plan["seconds_per_step"] or 0.0,
        "flops": plan["flops_per_step"],
        "bytes": plan["tokens_per_step"] * bytes_per_token,
    }
    return steps * float(price[unit])


def missed_by_plan(label: str, plan: Mapping[str, Any], budget: Budget) -> Iterator[str]:
    """Warn before the training that an arm will miss its budget."""
    if budget.unit == "epochs":  # every arm makes that many passes over the same text, and at most a step more
        return
    share = planned(plan, budget.unit) / budget.amount
    # A plan only estimates time, so only a step that is longer than the whole budget is sure to miss it.
    if abs(share - 1) > TOLERANCE and (budget.unit != "seconds" or plan["steps"] <= 1):
        yield f"{label} will spend {share:.3g} times the budget: {_because(plan['steps'])}."


def missed(arms: Sequence[ArmResult], budget: Budget) -> Iterator[str]:
    """Warn that an arm's runs missed the budget, so that its score had another price."""
    if budget.unit == "epochs":
        return
    for arm in arms:
        shares = [spent(seed, budget.unit) / budget.amount for seed in arm.done]
        worst = max(shares, key=lambda share: abs(share - 1), default=1.0)
        if abs(worst - 1) > TOLERANCE:
            steps = min(seed.steps for seed in arm.done)
            yield f"{arm.label} spent {worst:.3g} times the budget: {_because(steps)}. Its score had that price."


def _because(steps: int) -> str:
    return f"steps are whole, and it did {steps}" if steps > 1 else "one step costs as much"
