"""Drawing for decoders: the sampler that an option names, with its state, and the random numbers of a sequence."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pentad import Choice, EngineError, Sampler, Tokenizer, UsageError, Vocabulary, make
from pentad.tools import split_options


def sampler_of(text: str, tokenizer: Tokenizer, vocabulary: Vocabulary) -> Sampler:
    """Return the sampler that a name with options means: `top-k,k=20`.

    Raises:
        UsageError: there is none, an option does not fit, or it is a decoder itself.
    """
    name, options = split_options(text)
    made = make("sampler", Choice(name, **options), tokenizer=tokenizer, vocabulary=vocabulary)
    if not isinstance(made, Sampler):
        raise UsageError(
            f"--sampler.sampler must name a sampler; found {name}, which drives the model itself.",
            "Use temperature, top-k or top-p.",
            code="sampler-is-decoder",
        )
    return made


class Draws:
    """What is drawn for one sequence: the sampler's state, and random numbers of the seed and the sequence's number.

    Args:
        sampler: what makes probabilities of logits.
        prompt: (T,) the ids before the first one that is drawn.
        seed, index: of the sequence.
    """

    def __init__(self, sampler: Sampler, prompt: Tensor, seed: int, index: int) -> None:
        self._sampler, self._state = sampler, sampler.start(prompt[None])
        self.generator = np.random.Generator(np.random.Philox(key=np.array([seed % 2**64, index], dtype=np.uint64)))

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return what the sampler makes (V,) of logits (V,) behind tokens (T,), in double precision.

        Raises:
            EngineError: it is no distribution.
        """
        found = self._sampler.constrained(logits[None], tokens[None], self._state)[0].cpu().double()
        total = float(found.sum())
        if not 0.99 < total < 1.01 or float(found.amin()) < 0:  # NaN fails as well
            raise EngineError(
                f"The sampler must return a distribution over the ids; found the sum {total:.3g}.",
                "Use another --sampler.sampler; the model may also have diverged (engine evaluate tells).",
                code="not-a-distribution",
            )
        return found / total

    def advance(self, token: int) -> None:
        """Take a token for drawn."""
        self._state = self._sampler.advance(self._state, torch.tensor([token]))

    def draw(self, probabilities: Tensor) -> int:
        """Draw an id from a distribution (V,)."""
        return draw(probabilities, self.generator)

    def ahead(self) -> Draws:
        """Return a copy that draws on and leaves this one's state alone; the random numbers are shared."""
        copied: Any = copy.copy(self)
        copied._state = copy.deepcopy(self._state)
        return copied  # type: ignore[no-any-return]


def draw(probabilities: Tensor, generator: np.random.Generator) -> int:
    """Draw an id by inverting the cumulated probabilities (V,)."""
    cumulated = probabilities.cumsum(dim=0)
    # The first id that exceeds the draw: ids with probability 0 never do.
    wanted = min(generator.random() * float(cumulated[-1]), float(np.nextafter(float(cumulated[-1]), 0)))
    return int(torch.searchsorted(cumulated, wanted, right=True))
