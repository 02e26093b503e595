"""What the checks of a model share: a small model, small inputs, and how logits are made and compared."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from pentad.contracts.batch import Tokens
from pentad.contracts.model import Model
from pentad.contracts.optimizer import Optimization
from pentad.contracts.situation import Situation
from pentad.contracts.vocabulary import Vocabulary
from pentad.registry.offers import arguments_for
from pentad.testing.advice import AdviceConformance
from pentad.testing.conformance import require
from pentad.train.memory import sizes_of

BATCH = 3


class ModelSubject(AdviceConformance):
    """A model under test.

    Attributes:
        vocab_size, context_length: what the factory is called with.
        tolerance: how far two ways to the same logits may be apart; fp32 sums in another order differ by about 1e-6.
    """

    kind = "model"
    vocab_size: ClassVar[int] = 29
    context_length: ClassVar[int] = 16
    tolerance: ClassVar[float] = 1e-4

    def fresh(self, seed: int = 0) -> Model:
        """Return a new model in evaluation mode."""
        torch.manual_seed(seed)
        vocabulary = Vocabulary(tokenizer_size=self.vocab_size, end_of_text=0)
        model = self.make(vocab_size=self.vocab_size, context_length=self.context_length, vocabulary=vocabulary)
        require(isinstance(model, Model), f"the factory must return a pentad.Model, found a {type(model).__name__}")
        model.eval()
        model.causal = "causal" in model.attention
        return model  # type: ignore[no-any-return]

    def bytes_with(self, options: Any, situation: Situation) -> float:
        """Return four times the bytes of the parameters, which are given no values: themselves, gradients, optimizer state."""
        available = {"vocab_size": situation.vocab_size, "context_length": situation.context_length}

        def make() -> Model:
            vocabulary = Vocabulary(tokenizer_size=situation.vocab_size or 1, end_of_text=0)
            given = arguments_for(self.factory(), {**available, "vocabulary": vocabulary}, self.kind)
            return self.factory()(options, **given)  # type: ignore[no-any-return]

        sizes = sizes_of(make, lambda parameters: Optimization(optimizers=[]), float("inf"))
        return 4.0 * sizes.weights if sizes else 0.0

    def perturbed(self) -> Model:
        """Return a model in which every parameter matters, and that has studied a random text."""
        model = self.fresh()
        model.study(Tokens.of(self.tokens(20, batch=1, length=20 * self.context_length)[0].numpy(), end_of_text=0))
        if not list(model.parameters()):
            for seed in range(3):
                model.learn_by_counting(self.tokens(seed), self.tokens(seed + 10), None)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
        return model

    def tokens(self, seed: int = 0, batch: int = BATCH, length: int | None = None) -> Tensor:
        """Return random ids (B, T)."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(self.vocab_size, (batch, length or self.context_length), generator=generator)

    def segments(self) -> Tensor:
        """Return document numbers (B, T): three documents in the first row, two in the second, one in the last."""
        length = self.context_length
        segments = torch.zeros(BATCH, length, dtype=torch.int64)
        segments[0, length // 4 :] += 1
        segments[0, length // 2 + 1 :] += 1
        segments[1, length // 2 :] += 1
        return segments

    def compare(self, found: Tensor, expected: Tensor, message: str) -> None:
        """Fail with the message and the distance unless two tensors are the same within the tolerance."""
        found, expected = found.detach(), expected.detach()
        require(found.shape == expected.shape, f"{message}; the shapes are {tuple(found.shape)} and {tuple(expected.shape)}")
        scale = max(1.0, float(expected.abs().max()))
        distance = float((found - expected).abs().max()) / scale
        require(distance <= self.tolerance, f"{message}; they differ by {distance:.2g} of the largest logit")


def logits_of(model: Model, inputs: Tensor, segments: Tensor | None = None) -> Tensor:
    """Return the logits of a copy, so that a model that keeps something between calls fails the check for that and no other."""
    return logits_of_itself(copy.deepcopy(model), inputs, segments)


@torch.no_grad()
def logits_of_itself(model: Model, inputs: Tensor, segments: Tensor | None = None) -> Tensor:
    """Return the logits (B, T, V) of the model itself, in whichever mode it is."""
    torch.manual_seed(0)  # the same dropout in each call, if there is any
    return model.logits(model(inputs, None, segments).features)


@torch.no_grad()
def logits_in_pieces(model: Model, inputs: Tensor, lengths: Sequence[int]) -> Tensor:
    """Return the logits (B, T, V) of a copy that reads pieces of these lengths from a state."""
    model = copy.deepcopy(model)
    state = model.initial_state(len(inputs), inputs.shape[1])
    found = []
    for piece in inputs.split(list(lengths), dim=1):
        output = model(piece, state)
        state = output.state
        require(state is not None, "forward with a state must return the state after its tokens, found None")
        found.append(model.logits(output.features))
    return torch.cat(found, dim=1)
