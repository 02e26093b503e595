"""What the user decides of the kernels: `--kernels attention=products,matmul=high`, or the like in `[machine]`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pentad.config.tables import MachineOptions
from pentad.system.errors import UsageError, did_you_mean

Variants = Mapping[str, Sequence[str]]
"""The ways to compute that there are, by what they compute; the first is what is used unless another is chosen."""

MATMUL = "matmul"
"""The name under which `--kernels` sets how fp32 matrices are multiplied, by torch's words for their precision."""

PRODUCTS = ("highest", "high", "medium")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wish:
    """What the user decides of the kernels; the rest is left open.

    Args:
        precision: fp32, bf16 or auto.
        products: as for `Kernels`, or None.
        model, optimizer: variants by name.
    """

    precision: str = "auto"
    products: str | None = None
    model: Mapping[str, str] = dataclasses.field(default_factory=dict)
    optimizer: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, options: MachineOptions, model: Variants, optimizer: Variants) -> Wish:
        """Read the table `[machine]`.

        Args:
            options: the table.
            model, optimizer: the variants that they offer.

        Raises:
            UsageError: there is no such kernel, or no such way to compute it.
        """
        offered: dict[str, Sequence[str]] = {MATMUL: PRODUCTS, **model, **optimizer}
        known = "; ".join(f"{name}={'|'.join(ways)}" for name, ways in offered.items())
        chosen: dict[str, str] = {}
        for entry in options.kernels:
            name, _, way = (part.strip() for part in entry.partition("="))
            name = next((each for each in offered if each.replace("_", "-") == name.replace("_", "-")), name)
            if name not in offered or way not in (*offered[name], "auto"):
                ways = ", ".join([*offered.get(name, ()), "auto"])
                there = f"{name} by one of {ways}" if name in offered else "NAME=WAY for a kernel that this run has"
                near = did_you_mean(way, offered[name]) if name in offered else did_you_mean(name, offered)
                raise UsageError(
                    f"--kernels expects {there}; found {entry!r}.",
                    near or f"There are: {known}.",
                    code="kernel-unknown",
                )
            chosen |= {name: way} if way != "auto" else {}
        return cls(
            precision=options.precision,
            products=chosen.get(MATMUL),
            model={name: way for name, way in chosen.items() if name in model},
            optimizer={name: way for name, way in chosen.items() if name in optimizer},
        )
