"""Checks of what an implementation advises on its own sizes: for tokenizers, models and optimizers that offer `advise`."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pentad.config.options import describe, parse, to_dict
from pentad.contracts.situation import Advice, Situation
from pentad.registry.records import resolve
from pentad.system.errors import UsageError
from pentad.testing.conformance import Conformance, require

TEXTS = ((5_000, 2_500, 300), (1_000_000, 400_000, 1024), (300_000_000, 90_000_000, 8192))
"""Bytes, tokens and vocabulary of the texts that are asked for."""

BUDGETS = (1e9, 1e12, 1e14, 1e18)
"""Operations, and a millionth of them as tokens."""

MEMORY = (2e9, 1e11)
"""Free bytes."""


def situations() -> Iterator[Situation]:
    """Yield situations from a tiny text on a slow machine to a large one on a fast machine."""
    for (n_bytes, n_tokens, vocab_size), amount, memory in itertools.product(TEXTS, BUDGETS, MEMORY):
        text: dict[str, Any] = {
            "train_bytes": n_bytes,
            "n_train_tokens": n_tokens,
            "vocab_size": vocab_size,
            "free_memory": memory,
        }
        yield Situation(**text, flops=amount, seconds=100.0, flops_per_second=amount / 100, n_parameters=int(amount**0.5))
        yield Situation(**text, tokens=amount / 1e6)
    yield Situation(train_bytes=1_000_000)


class AdviceConformance(Conformance):
    """Checks of `advise`; an implementation that offers none passes."""

    def advise(self) -> Callable[[Any, Situation], Advice | None] | None:
        """Return the function under test, or None where none is offered."""
        named = getattr(self.record(), "advise", "")
        return resolve(named) if named else None

    def check_advice_fits(self) -> None:
        """What `advise` says are options within their bounds, the same for the same situation, that fit into the memory."""
        advise = self.advise()
        if advise is None:
            return
        options = parse(self.options_type(), {}, self.kind)
        names = frozenset(spec.name for spec in describe(self.options_type()))
        for situation in situations():
            asked = dataclasses.replace(situation, open=names)
            advice, again = advise(options, asked), advise(options, asked)
            require(
                advice is None or isinstance(advice, Advice), f"advise must return a pentad.Advice or None, found {advice!r}"
            )
            require(advice == again, f"advise must say the same each time; found {advice} and then {again} for {asked}")
            if advice is not None:
                self._require_fitting(advice.values, situation)

    def check_advice_leaves_what_was_given(self) -> None:
        """With some options given and the others open, `advise` still says what fits together with the given ones."""
        advise = self.advise()
        if advise is None:
            return
        options = parse(self.options_type(), {}, self.kind)
        names = frozenset(to_dict(options))
        for kept in sorted(names):
            for situation in itertools.islice(situations(), 0, None, 5):
                advice = advise(options, dataclasses.replace(situation, open=names - {kept}))
                values = {name: value for name, value in (advice.values if advice else {}).items() if name != kept}
                self._require_fitting(values, situation, may_be_large=True)

    def _require_fitting(self, values: Mapping[str, Any], situation: Situation, may_be_large: bool = False) -> None:
        if not values:
            return
        try:
            options = parse(self.options_type(), {**to_dict(parse(self.options_type(), {}, self.kind)), **values}, self.kind)
        except UsageError as error:
            raise AssertionError(f"advise says {dict(values)}, which its options refuse: {error.message}") from None
        if may_be_large or not situation.free_memory:
            return
        needed = self.bytes_with(options, situation)
        require(
            needed <= situation.free_memory,
            f"advise says {dict(values)}, which takes {needed:,.0f} bytes for weights, gradients and the optimizer's state; "
            f"{situation.free_memory:,.0f} are free",
        )

    def bytes_with(self, options: Any, situation: Situation) -> float:
        """Return what its parameters take in a training, for whatever has parameters."""
        del options, situation
        return 0.0
