"""When a training stops: after so many steps, so much time, so much arithmetic or so much text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pentad.system.errors import UsageError

Unit = Literal["steps", "seconds", "flops", "bytes"]

_UNITS: dict[str, tuple[Unit, float]] = {
    "s": ("seconds", 1.0),
    "m": ("seconds", 60.0),
    "min": ("seconds", 60.0),
    "h": ("seconds", 3600.0),
    "flops": ("flops", 1.0),
    "b": ("bytes", 1.0),
    "kb": ("bytes", 1e3),
    "mb": ("bytes", 1e6),
    "gb": ("bytes", 1e9),
    "steps": ("steps", 1.0),
}


@dataclass(frozen=True)
class Budget:
    """An amount of one unit.

    Args:
        unit: training steps; seconds of training, set-up and evaluation left out; floating-point operations; bytes of
            training text seen.
        amount: how much of it.
    """

    unit: Unit
    amount: float

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read `90s`, `5m`, `2h`, `2e15flops`, `50MB` or `500steps`.

        Raises:
            UsageError: the text is none of these, or the amount is not positive.
        """
        match = re.fullmatch(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([a-z]+)\s*", text.lower())
        try:
            amount = float(match.group(1)) if match else 0.0
        except ValueError:
            amount = 0.0
        if not match or match.group(2) not in _UNITS or not 0 < amount < 1e30:
            raise UsageError(
                f"--budget expects a time (90s, 5m, 2h), arithmetic (2e15flops) or text (50MB), found {text!r}.",
                "A number of steps goes to --steps, or is written 500steps.",
                code="budget-format",
            )
        unit, scale = _UNITS[match.group(2)]
        return cls(unit, amount * scale)

    def steps(self, *, flops_per_step: float, bytes_per_step: float) -> int | None:
        """Return how many steps the budget pays for, at least one; None for time, which only the clock can tell."""
        if self.unit == "seconds":
            return None
        price = {"steps": 1.0, "flops": flops_per_step, "bytes": bytes_per_step}[self.unit]
        return max(1, int(self.amount / price))
