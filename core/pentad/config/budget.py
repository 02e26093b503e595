"""When a training stops: after so many steps, so much time, so much arithmetic, so much text or so many passes over it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from pentad.system.errors import UsageError

Unit = Literal["steps", "seconds", "flops", "bytes", "epochs"]

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
    "step": ("steps", 1.0),
    "steps": ("steps", 1.0),
    "epoch": ("epochs", 1.0),
    "epochs": ("epochs", 1.0),
}


@dataclass(frozen=True)
class Budget:
    """An amount of one unit.

    Args:
        unit: training steps; seconds of training, set-up and evaluation left out; floating-point operations; bytes of
            training text seen; passes over all examples of the training text.
        amount: how much of it.
    """

    unit: Unit
    amount: float

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read `90s`, `5m`, `2h`, `2e15flops`, `50MB`, `3epochs` or `500steps`.

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
                "--budget expects a time (90s, 5m, 2h), arithmetic (2e15flops), text (50MB) or passes over the text (3epochs); "
                f"found {text!r}.",
                "A number of steps goes to --steps, or is written 500steps.",
                code="budget-format",
            )
        unit, scale = _UNITS[match.group(2)]
        return cls(unit, amount * scale)

    def steps(self, *, flops_per_step: float, bytes_per_step: float, steps_per_epoch: float) -> int | None:
        """Return how many steps the budget pays for, at least one; None for time, which only the clock can tell.

        Passes are rounded up, so that every example is seen as often as asked for.
        """
        if self.unit == "seconds":
            return None
        if self.unit == "epochs":
            return max(1, math.ceil(self.amount * steps_per_epoch - 1e-9))
        price = {"steps": 1.0, "flops": flops_per_step, "bytes": bytes_per_step}[self.unit]
        return max(1, int(self.amount / price))
