"""The contract of adapters, as checks on a small model with an embedding, two matrices and a head.

from pentad.testing import AdapterConformance

class TestMine(AdapterConformance):
    name = "mine"

An adapter that needs another kind of model gives the class its own `model`.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor, nn

from pentad.contracts.adapter import ModelAdapter
from pentad.contracts.model import Model, Output
from pentad.contracts.vocabulary import Vocabulary
from pentad.registry.offers import arguments_for
from pentad.system.errors import EngineError
from pentad.testing.conformance import Conformance, require

_VOCABULARY = Vocabulary(tokenizer_size=29, end_of_text=28)
_TOLERANCE = 1e-4


class AdapterConformance(Conformance):
    """Checks of an adapter."""

    kind = "adapter"

    def model(self) -> Model:
        """Return the model to adapt, the same each time."""
        torch.manual_seed(0)
        return Small(_VOCABULARY.size).eval()

    def adapter(self) -> ModelAdapter:
        """Make the adapter under test."""
        factory = self.factory()
        made = factory(self.parsed_options(), **arguments_for(factory, {"vocabulary": _VOCABULARY}, self.kind))
        require(isinstance(made, ModelAdapter), f"the factory must return a ModelAdapter, found a {type(made).__name__}")
        return made  # type: ignore[no-any-return]

    def adapted(self, seed: int = 1) -> tuple[Model, ModelAdapter]:
        """Return the model, adapted, and what adapted it."""
        model, adapter = self.model(), self.adapter()
        torch.manual_seed(seed)
        adapter.apply(model)
        return model.eval(), adapter

    def learned(self) -> tuple[Model, ModelAdapter]:
        """Return the adapted model as if it had learned something."""
        model, adapter = self.adapted()
        torch.manual_seed(2)
        with torch.no_grad():
            for parameter in _trainable(model).values():
                parameter.add_(0.1 * torch.randn_like(parameter))
        return model, adapter

    def check_something_is_left_to_learn(self) -> None:
        """At least one parameter is trainable, and each that is gets a gradient."""
        model, _ = self.learned()
        trainable = _trainable(model)
        require(bool(trainable), "every parameter is frozen; leave something to learn")
        _logits(model).square().sum().backward()
        idle = [name for name, parameter in trainable.items() if parameter.grad is None]
        require(not idle, f"{', '.join(idle[:3])} gets no gradient; freeze it, or use it")

    def check_begins_as_the_model(self) -> None:
        """The adapted model computes what the model did."""
        with torch.no_grad():
            _compare(_logits(self.adapted()[0]), _logits(self.model()), "apply changes what the model computes")

    def check_what_is_learned_matters(self) -> None:
        """Other values of what is left to learn give other logits."""
        with torch.no_grad():
            distance = float((_logits(self.learned()[0]) - _logits(self.adapted()[0])).abs().max())
        require(distance > 1e-6, "what is left to learn has no effect on the logits")

    def check_same_change_for_the_same_seed(self) -> None:
        """Applied again with the same seed, parameters and buffers are the same by name, shape and value."""
        one, other = (self.adapted()[0].state_dict() for _ in range(2))
        odd = one.keys() ^ other.keys()
        require(not odd, f"applied again, {', '.join(sorted(odd)[:3])} is there once and missing once")
        for name, tensor in one.items():
            same = tensor.shape == other[name].shape and torch.equal(tensor, other[name])
            require(same, f"applied again with the same seed, {name} differs; draw from torch's global generator alone")

    def check_one_token_at_a_time(self) -> None:
        """The adapted model gives the same logits from a state, token by token, as for all tokens at once."""
        model, _ = self.learned()
        with torch.no_grad():
            state = model.initial_state(len(_TOKENS), _TOKENS.shape[1])
            parts = []
            for column in _TOKENS.split(1, dim=1):
                output = model(column, state)
                state = output.state
                parts.append(model.logits(output.features))
            _compare(torch.cat(parts, dim=1), _logits(model), "one token at a time gives other logits than all at once")

    def check_merges_into_the_model(self) -> None:
        """After `merge` the parameters are those of the model by name and shape, and it computes what it did adapted.

        An adapter that cannot be folded into the model says so by an EngineError.
        """
        model, adapter = self.learned()
        with torch.no_grad():
            before = _logits(model)
        with contextlib.suppress(EngineError):
            adapter.merge(model)
            shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
            wanted = {name: tuple(tensor.shape) for name, tensor in self.model().state_dict().items()}
            odd = sorted(name for name in shapes.keys() | wanted.keys() if shapes.get(name) != wanted.get(name))
            require(not odd, f"after merge {', '.join(odd[:3])} is not as it was before apply")
            with torch.no_grad():
                _compare(_logits(model), before, "merge changes what the model computes")


class Small(Model):
    """Features of a token alone: an embedding, two matrices, a head. Its state is nothing."""

    context_length = 16

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, 8)
        self.up, self.down = nn.Linear(8, 12), nn.Linear(12, 8)
        self.head = nn.Linear(8, vocab_size, bias=False)

    def forward(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        """Return features (B, T, D)."""
        del segments
        x: Tensor = self.embedding(inputs)  # (B, T, D)
        return Output(x + self.down(torch.tanh(self.up(x))), state)

    def logits(self, features: Tensor) -> Tensor:
        """Return logits (…, V)."""
        logits: Tensor = self.head(features)
        return logits

    def initial_state(self, batch_size: int, max_length: int) -> Any:
        """Return a state of nothing."""
        return (batch_size, max_length)


_TOKENS = torch.arange(12).view(2, 6) * 5 % _VOCABULARY.size  # (B, T)


def _logits(model: Model) -> Tensor:
    return model.logits(model(_TOKENS).features)


def _trainable(model: Model) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _compare(found: Tensor, expected: Tensor, message: str) -> None:
    require(found.shape == expected.shape, f"{message}; the shapes are {tuple(found.shape)} and {tuple(expected.shape)}")
    distance = float((found - expected).abs().max())
    require(distance <= _TOLERANCE, f"{message}; logits differ by up to {distance:.2g}")
