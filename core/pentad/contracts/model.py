"""The model contract: token ids to features, features to logits.

A model's factory is called as `factory(options, vocab_size=…, context_length=…)`, and with `vocabulary=…` where it names it. It
returns a `Model` with freshly initialised parameters (torch's global generator is seeded before the call).

Of the models to read, `gated-deltanet` has blocks and states of several parts, `gpt` has all that the contract offers, `ngram`
is counted, and [minlstm](../examples/pentad-minlstm/pentad_minlstm/model.py) is a third party's.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad.contracts.batch import Attention, Tokens
from pentad.system.errors import UsageError

Role = Literal["matrix", "embedding", "head", "experts", "vector"]


@dataclass(frozen=True, eq=False)
class Output:
    """What a model returns.

    Args:
        features: (B, T, D).
        state: after these tokens, where one was given; else None.
        losses: auxiliary losses by name, each () and a mean over tokens with its factor in it (balance of experts, z-loss). In
            training core adds them to the mean loss of the objective, and logs them. Empty in evaluation.
    """

    features: Tensor
    state: Any = None
    losses: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Inspection:
    """What a model shows of its inside for one text of T tokens; each part may be empty.

    Args:
        attention: by the name of a layer, (heads, T, T): how much each position looks at each; rows sum to 1.
        streams: by the name of a place, in the order of the computation, features (T, D) as `logits` takes them: the head read
            early (logit lens; nostalgebraist, 2020). The last are those that `forward` returns.
        gates: by name, (T, units) from 0, closed, to 1, open.
    """

    attention: Mapping[str, Tensor] = field(default_factory=dict)
    streams: Mapping[str, Tensor] = field(default_factory=dict)
    gates: Mapping[str, Tensor] = field(default_factory=dict)


class State(Protocol):
    """What a state may offer beside being handed on: where it does, beams, one prefill for many samples, and drafts are fast.

    A state without these methods works everywhere: it is then built again from the tokens.
    """

    def select(self, rows: Tensor) -> State:
        """Return the state of these rows (R,), in this order; a row may come twice. The old state is not used any more."""

    def truncate(self, length: int) -> State:
        """Return the state after the first `length` tokens. The old state is not used any more."""


class Model(nn.Module):
    """Token ids to a distribution over the next one (or over the masked one).

    Shapes: B batch, T tokens, V vocabulary, D width of the features.

    Promises, each checked by the conformance kit:

    - Causal models never look ahead: a change at position t leaves all logits before t as they were.
    - One token at a time from a state gives the same logits as all tokens at once.
    - `segments` separate documents: a change in one leaves the logits of the others as they were.
    - Every parameter gets a gradient; rows of a batch do not touch each other.
    - `state_dict` holds all that was learned, each tensor under one name: tie weights by using one parameter in two places (the
      embedding's weight in `logits`), not by giving it two names.
    - More tokens than `context_length` are refused with an `EngineError`, in one call and through a state.
    """

    attention: frozenset[Attention] = frozenset({"causal"})
    """What the model can do. A builder that needs something else is refused before training."""

    causal: bool = True
    """Whether a position sees only what stands before it. Core sets it to False on a model that lists "bidirectional", before
    the first call, when the builder needs bidirectional attention; such a model has no state."""

    context_length: int | None
    """The most tokens that the model can take in one row, or None when there is no such bound (a recurrent state)."""

    vocab_size: int

    @abstractmethod
    def forward(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        """Return the features (B, T, D) of inputs (B, T), the state after them, and auxiliary losses.

        Args:
            inputs: (B, T) int64 ids.
            state: what `initial_state` or an earlier call returned, and then the inputs go on where that call ended; None
                to start afresh without keeping a state (the state returned is then None). A state may be changed in place,
                and may offer the methods of `State`.
            segments: (B, T) int64 document numbers, or None when each row is one document. Never given with a state.
        """

    @abstractmethod
    def logits(self, features: Tensor) -> Tensor:
        """Return logits (…, V) of features (…, D): core calls it in chunks, and on the last position only in generation."""

    def predict_ahead(self, n: int) -> None:
        """Get heads for the `n` tokens beyond the next one, or lose them with 0.

        Core calls it on a new model whose builder asks for them. What generates, and scores by the next token, uses none.

        The heads are modules whose parameters are named `heads_ahead.…`, by which core tells them from the model that a run
        starts from. Unless overridden they are residual blocks of one matrix (D, D) over the features, each of which starts as
        the identity (Medusa; Cai et al., 2024), and share `logits` (Gloeckle et al., 2024).

        Raises:
            UsageError: the model counts, and has nothing that a head could be learned with.
        """
        if n and next(self.parameters(), None) is None:
            raise UsageError(
                f"Heads for {n} tokens beyond the next need a model that learns by gradients; {type(self).__name__} counts.",
                "Choose another --model, or --builder next-token.",
                code="ahead-not-learned",
            )
        width = _width(self) if n else 0
        self.heads_ahead = nn.ModuleList(_AheadHead(width) for _ in range(n))
        self.heads_ahead.to(parameter_device(self))

    def ahead(self, features: Tensor) -> Sequence[Tensor]:
        """Return features (B, T, D) for each further token, as `logits` takes them, of those for the next one (B, T, D)."""
        return [head(features) for head in getattr(self, "heads_ahead", ())]

    def blocks(self) -> Sequence[nn.Module]:
        """Return the parts that follow each other and may be computed again one by one; none unless overridden.

        With `--recompute` a block keeps its inputs alone for the backward pass. So what a block returns must follow from its
        inputs, its parameters and torch's generators, and `forward` must call the block itself: `block(x)`.
        """
        return ()

    def inspect(self, inputs: Tensor) -> Inspection:
        """Return what the model shows of its inside while it reads inputs (T,); nothing unless overridden.

        For looking at (`engine studio`), not for training: it is called in evaluation, without gradients.
        """
        del inputs
        return Inspection()

    @abstractmethod
    def initial_state(self, batch_size: int, max_length: int) -> Any:
        """Return an empty state for `batch_size` rows of up to `max_length` tokens, on the device of the parameters."""

    def study(self, tokens: Tokens) -> None:
        """Look at the text before the first step on it; nothing unless overridden.

        Core calls it where a causal model learns each next token of plain text, and again where a run of that kind is resumed.
        As for `learn_by_counting`, what is found must live in buffers, which may change their shapes.

        Args:
            tokens: the training text, often memory-mapped: it may be larger than memory.
        """

    def learn_by_counting(self, inputs: Tensor, targets: Tensor, segments: Tensor | None) -> None:
        """Learn from a batch without gradients. Called in place of an optimizer step when the model has no parameters.

        What is learned must live in buffers, so that checkpoints hold it; a buffer may change its shape.
        """
        raise NotImplementedError(f"{type(self).__name__} has no parameters and does not learn by counting either")

    def kernels(self) -> Mapping[str, Sequence[str]]:
        """Name the ways in which the model can compute, by what they compute: `{"attention": ("torch", "products")}`.

        All must be equal to rounding; the first is the usual one. Where the precision is left open, core measures them before a
        training that is long enough, and keeps the fastest.
        """
        return {}

    def use_kernels(self, chosen: Mapping[str, str]) -> None:
        """Compute in these ways from now on: one for each name of `kernels()`, and for no other.

        A model that was told nothing, as in a training too short to measure them, computes in whatever way suits.
        """

    def generation_weights(self) -> Sequence[str]:
        """Name the number formats in which generation can read rounded weights where that is faster: `("int8",)`.

        They count for one token a row that goes on from a state, on a CPU in fp32, and change texts. Core checks how far the
        logits are then from the others, and refuses what is too far. None unless overridden.
        """
        return ()

    def use_generation_weights(self, name: str | None) -> None:
        """Round the weights as they are now to a format of `generation_weights`, for states made from now on; None ends that.

        The parameters stay as they are.

        Raises:
            UsageError: this machine cannot, or it would not be faster.
        """

    def upgrade_state(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return a checkpoint's tensors under the names and in the shapes of this version; the same unless overridden.

        Called before they are compared with the model's own, for a plugin that has renamed a parameter since.
        """
        return tensors

    def token_parameters(self) -> frozenset[str]:
        """Name the parameters that have one row, or one entry, per id of the vocabulary, by their first dimension.

        Where a run starts from another whose special tokens differ, core moves their rows with the tokens. By default the
        embeddings and what belongs to the head, as far as their first dimension is `vocab_size`.
        """
        roles = self.roles()
        return frozenset(
            name
            for name, parameter in self.named_parameters()
            if parameter.ndim
            and parameter.shape[0] == self.vocab_size
            and (roles[name] in ("embedding", "head") or name.split(".")[0] == "head")
        )

    def roles(self) -> dict[str, Role]:
        """Say what each parameter is for, so that an optimizer can treat it accordingly.

        The weight of an `nn.Embedding` is an "embedding", the weight of a submodule named `head` is the "head", other
        parameters with two or more dimensions are a "matrix", the rest (biases, gains) a "vector".
        """
        embeddings = {id(module.weight) for module in self.modules() if isinstance(module, nn.Embedding)}
        roles: dict[str, Role] = {}
        for name, parameter in self.named_parameters():
            if id(parameter) in embeddings:
                roles[name] = "embedding"
            elif parameter.ndim < 2:
                roles[name] = "vector"
            else:
                roles[name] = "head" if name.split(".")[0] == "head" else "matrix"
        return roles


class _AheadHead(nn.Module):
    """Features for the next token to features for a later one: x + silu(W x), with W zero at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.matrix = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.matrix.weight)

    def forward(self, features: Tensor) -> Tensor:
        change: Tensor = F.silu(self.matrix(features))
        return features + change


def _width(model: Model) -> int:
    """Return the width D of a model's features, by letting it read one token."""
    training = model.training
    model.eval()
    with torch.no_grad():
        output = model(torch.zeros((1, 1), dtype=torch.int64, device=parameter_device(model)))
    model.train(training)
    return int(output.features.shape[-1])


def offers(state: Any, method: str) -> bool:
    """Say whether a state has a method of `State`; a plain tensor, whose methods of the same names mean others, has none."""
    return not isinstance(state, Tensor) and callable(getattr(state, method, None))


def parameter_device(model: nn.Module) -> torch.device:
    """Return where the model lives: the device of its first parameter or buffer."""
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return torch.device("cpu")
