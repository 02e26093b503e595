"""BERT: embeddings, blocks of bidirectional attention, and a head that says what stands at each place.

Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding, 2019. What goes with pairs of
sentences is left out: the embeddings of the two sentences (the first one's is part of the positions' here), and the prediction
whether one follows the other, which Liu et al. (RoBERTa, 2019) found of no use. With the preset `bert` and the same weights the
logits are those of `BertForMaskedLM` in the library transformers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad import EngineError, Model, Output
from pentad.tools import dropout
from pentad_bert.block import EPSILON, Block
from pentad_bert.options import BERTOptions


class BERT(Model):
    """The transformer.

    Args:
        options: its shape.
        vocab_size: number of ids.
        context_length: the most tokens in one row.
    """

    attention = frozenset({"bidirectional"})
    causal = False
    context_length: int
    rotation: Tensor

    def __init__(self, options: BERTOptions, vocab_size: int, context_length: int) -> None:
        super().__init__()
        width = options.n_embd
        self.options, self.vocab_size, self.context_length = options, vocab_size, context_length
        self.embedding = nn.Embedding(vocab_size, width)
        self.positions = nn.Embedding(context_length, width) if options.position == "learned" else None
        self.embedding_norm = nn.LayerNorm(width, eps=EPSILON)
        self.layers = nn.ModuleList(Block(options) for _ in range(options.n_layer))
        self.norm = nn.LayerNorm(width, eps=EPSILON) if options.norm_first else None
        self.transform = nn.Linear(width, width)
        self.transform_norm = nn.LayerNorm(width, eps=EPSILON)
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        if options.position == "rotary":
            self.register_buffer("rotation", _rotation(context_length, width // options.n_head), persistent=False)
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        """Draw the matrices and embeddings from normal distributions; biases begin at zero, gains at one."""
        for name, parameter in self.named_parameters():
            if name.startswith(("embedding.", "positions.")):
                parameter.normal_(0.0, 0.02)
            elif parameter.ndim > 1:
                parameter.normal_(0.0, self.options.init_std or 1 / math.sqrt(parameter.shape[1]))
            elif name.endswith("bias"):
                parameter.zero_()

    def forward(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        """Return features (B, T, D) of inputs (B, T); there is no state.

        Raises:
            EngineError: more tokens than `context_length`.
        """
        del state
        length = inputs.shape[1]
        if length > self.context_length:
            raise EngineError(
                f"The model was made for at most {self.context_length} tokens in a row, found {length}.",
                "Give it fewer tokens, or train with a longer --context-length.",
                code="sequence-too-long",
            )
        x = self.embedding(inputs)  # (B, T, D)
        if self.positions is not None:
            x = x + self.positions(_positions(length, segments, inputs.device))
        rotation = self.rotation[:, :length] if self.positions is None else None
        x = dropout(self.embedding_norm(x), self.options.dropout, self.training)
        mask = None if segments is None else segments[:, None, :, None] == segments[:, None, None, :]  # (B, 1, T, T)
        for block in self.layers:
            x = block(x, mask, rotation)
        return Output(x if self.norm is None else self.norm(x))

    def logits(self, features: Tensor) -> Tensor:
        """Return logits (…, V) of features (…, D): transformed, then compared with each token's embedding."""
        transformed = self.transform_norm(F.gelu(self.transform(features)))
        return F.linear(transformed, self.embedding.weight, self.bias.to(transformed.dtype))

    def blocks(self) -> Sequence[nn.Module]:
        """Return the blocks."""
        return tuple(self.layers)

    def token_parameters(self) -> frozenset[str]:
        """Return the embeddings, which are the head too, and the head's bias."""
        return frozenset({"embedding.weight", "bias"})

    def initial_state(self, batch_size: int, max_length: int) -> Any:
        """Refuse: each new token would change all features before it.

        Raises:
            EngineError: always.
        """
        del batch_size, max_length
        raise EngineError(
            "A model that is bidirectional cannot go on from a state: each new token would change all features before it.",
            'Let it fill in: engine generate RUN --prompt "To be or <mask> to be". Causal builders teach to write on.',
            code="state-not-causal",
        )


def _rotation(length: int, head_width: int) -> Tensor:
    """Return cosines and sines (2, length, head_width / 2) of the angle of each pair of features at each position."""
    frequencies = 10_000.0 ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * frequencies
    return torch.stack((angles.cos(), angles.sin())).float()


def _positions(length: int, segments: Tensor | None, device: torch.device) -> Tensor:
    """Return positions (T,), or (B, T) counted from 0 in each document, so that it has them wherever it stands in a row."""
    positions = torch.arange(length, device=device)
    if segments is None:
        return positions
    opens = F.pad(segments[:, 1:] != segments[:, :-1], (1, 0))  # (B, T)
    return positions - (positions * opens).cummax(dim=1).values
