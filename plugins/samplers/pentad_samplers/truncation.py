"""Samplers that leave tokens out by their probabilities, and renormalise what stays. Each keeps at least the likeliest token.

- `typical`: Meister, Pimentel, Wiher and Cotterell, Locally Typical Sampling, 2022.
- `epsilon`, `eta`: Hewitt, Manning and Liang, Truncation Sampling as Language Model Desmoothing, 2022.
- `top-n-sigma`: Tang et al., Top-nσ: Not All Logits Are You Need, 2024.
- `xtc`: Weidmann, Exclude Top Choices, text-generation-webui pull request 6335, 2024.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pentad import Sampler, tempered_softmax
from pentad_samplers.options import EpsilonOptions, EtaOptions, TopNSigmaOptions, TypicalOptions, XtcOptions


def keep(logits: Tensor, kept: Tensor) -> Tensor:
    """Return the softmax (B, V) over the ids where `kept` (B, V) is True or the logit is the highest, and 0 elsewhere."""
    kept = kept | (logits == logits.amax(dim=-1, keepdim=True))
    return tempered_softmax(torch.where(kept, logits, -math.inf))


def precise(logits: Tensor) -> Tensor:
    """Return logits in double precision, where the device has it: squares and multiples of large ones are beyond float32."""
    return logits if logits.device.type == "mps" else logits.double()


def entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy (B, 1) in nats of distributions (B, V)."""
    nats: Tensor = torch.special.entr(probabilities)
    return nats.sum(dim=-1, keepdim=True)


class Typical(Sampler):
    """Draw among the fewest tokens, those with surprise nearest to the entropy first, whose probability reaches the mass.

    Both the dull and the outlandish are left out: even the likeliest token goes where it says less than is expected.
    """

    def __init__(self, options: TypicalOptions) -> None:
        self.mass = options.mass

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return the softmax over each row's typical set, and 0 elsewhere."""
        found = tempered_softmax(logits)
        if self.mass == 1:
            return found
        surprise = torch.where(found > 0, -found.log(), math.inf)
        order = (surprise - entropy(found)).abs().argsort(dim=-1, stable=True)  # (B, V)
        nearest = found.gather(-1, order)
        before = nearest.cumsum(dim=-1) - nearest
        kept = torch.where(before < self.mass, nearest, 0.0)
        return torch.zeros_like(found).scatter_(-1, order, kept / kept.sum(dim=-1, keepdim=True))


class Epsilon(Sampler):
    """Draw among the tokens that are not less likely than epsilon."""

    def __init__(self, options: EpsilonOptions) -> None:
        self.epsilon = options.epsilon

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return the softmax over the tokens with at least probability epsilon, and 0 elsewhere."""
        return keep(logits, tempered_softmax(logits) >= self.epsilon)


class Eta(Sampler):
    """Draw among the tokens that are not less likely than eta = min(epsilon, sqrt(epsilon) exp(-entropy))."""

    def __init__(self, options: EtaOptions) -> None:
        self.epsilon = options.epsilon

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return the softmax over the tokens with at least probability eta, and 0 elsewhere."""
        found = tempered_softmax(logits)
        eta = (math.sqrt(self.epsilon) * (-entropy(found)).exp()).clamp(max=self.epsilon)  # (B, 1)
        return keep(logits, found >= eta)


class TopNSigma(Sampler):
    """Draw among the tokens within n standard deviations of the highest logit.

    The deviation is that of the logits that are possible. A temperature before it changes nothing in who stays, as it scales
    the distances and the deviation alike. It is meant for the model's own logits: in a chain it stands in front of other
    truncations.
    """

    def __init__(self, options: TopNSigmaOptions) -> None:
        self.n = options.n

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return the softmax over the tokens near the highest logit, and 0 elsewhere."""
        exact = precise(logits)
        possible = exact.isfinite()
        n_possible = possible.sum(dim=-1, keepdim=True)
        mean = exact.where(possible, 0.0).sum(dim=-1, keepdim=True) / n_possible
        deviation = ((exact - mean).where(possible, 0.0).square().sum(dim=-1, keepdim=True) / n_possible).sqrt()  # (B, 1)
        return keep(logits, exact >= exact.amax(dim=-1, keepdim=True) - self.n * deviation)


class Xtc(Sampler):
    """Now and then leave out all tokens above a threshold but the least likely of them.

    The coin that decides whether they are left out is part of the distribution that is returned, a mixture of both cases, so
    that the seed of a sequence decides everything. Hence in a chain it stands last.
    """

    def __init__(self, options: XtcOptions) -> None:
        self.threshold, self.probability = options.threshold, options.probability

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return the mixture (B, V) of the model's distribution and the one without the top choices."""
        found = tempered_softmax(logits)
        top = found >= self.threshold
        least = found.where(top, math.inf).argmin(dim=-1, keepdim=True)  # (B, 1); of no meaning where none is a top choice
        excluded = top.scatter(-1, least, torch.zeros_like(least, dtype=torch.bool))
        without = tempered_softmax(logits.masked_fill(excluded, -math.inf))
        return torch.lerp(found, without, self.probability)
