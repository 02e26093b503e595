"""What the kit tests others with: a tokenizer of bytes, a model that is made of a table, and a session of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pentad.contracts.batch import Tokens
from pentad.contracts.model import Model, Output
from pentad.contracts.tokenizer import END_OF_TEXT, TokenIds, Tokenizer, utf8
from pentad.contracts.vocabulary import SpecialToken, Vocabulary
from pentad.inference.session import ModelSession
from pentad.system.errors import EngineError
from pentad.system.machine import Machine

TEXTS = tuple(f"{number} eels ate {number * 7 % 13} oats; {number % 5} sat. " for number in range(24))
"""Documents of about 25 bytes each: letters, digits and spaces."""


class Bytes(Tokenizer):
    """An id for each byte, and the end of text."""

    vocab_size = 257
    special_tokens: Mapping[str, int] = {END_OF_TEXT: 256}

    def train(self, texts: Iterable[str]) -> None:
        """Learn nothing."""

    def encode(self, text: str) -> TokenIds:
        """Return the bytes."""
        return np.frombuffer(utf8(text), dtype=np.uint8).astype(np.uint32)

    def token_bytes(self, token: int) -> bytes:
        """Return the byte."""
        return bytes([token]) if token < 256 else b""

    def save(self, folder: Path) -> None:
        """Write nothing."""

    def load(self, folder: Path) -> None:
        """Read nothing."""


class Symbols(Bytes):
    """A tokenizer of any number of ids, the first of which is the end of text: what builders are given that ask for one."""

    lossless = False

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self.special_tokens = {END_OF_TEXT: 0}

    def encode(self, text: str) -> TokenIds:
        """Return an id for each byte; many bytes share one."""
        return (1 + super().encode(text) % (self.vocab_size - 1)).astype(np.uint32)

    def token_bytes(self, token: int) -> bytes:
        """Return one of the bytes that the id stands for."""
        return bytes([(token - 1) % 256]) if token else b""


class Table(Model):
    """A model of which token follows which, as a table of logits (V, V) that is learned; it looks at one token only.

    The logits at a position are a row of the table: that of the token there when causal, and that of the token before it
    when bidirectional, for there the token itself may be hidden.

    Args:
        table: the logits at the start.
        context_length: as of every model.
    """

    attention = frozenset({"causal", "bidirectional"})

    def __init__(self, table: Tensor, context_length: int | None = None) -> None:
        super().__init__()
        self.vocab_size, self.context_length = len(table), context_length
        self.table = nn.Parameter(table)

    def forward(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        """Return each token, one-hot (B, T, V)."""
        del segments
        if self.context_length is not None and inputs.shape[1] > self.context_length:
            raise EngineError(
                f"{inputs.shape[1]} tokens are more than the model's context of {self.context_length}.",
                "Read them through the session, which moves the context on.",
                code="sequence-too-long",
            )
        tokens = inputs if self.causal else torch.nn.functional.pad(inputs[:, :-1], (1, 0))
        return Output(torch.nn.functional.one_hot(tokens, self.vocab_size).float(), state)

    def logits(self, features: Tensor) -> Tensor:
        """Return the rows of the table."""
        return features @ self.table

    def initial_state(self, batch_size: int, max_length: int) -> Any:
        """Return nothing that matters."""
        del batch_size, max_length
        return ()


def machine() -> Machine:
    """Return the CPU in fp32."""
    return Machine(device=torch.device("cpu"), precision="fp32", threads=1)


def random_table(size: int, seed: int = 0, boldness: float = 2.0) -> Tensor:
    """Return logits (V, V) that are neither uniform nor certain."""
    return boldness * torch.randn(size, size, generator=torch.Generator().manual_seed(seed))


def table_of(ids: np.ndarray, size: int) -> Tensor:
    """Return logits (V, V) by which each token is followed as it is in the ids (N,), nearly always."""
    table = torch.zeros(size, size)
    pairs = torch.from_numpy(ids.astype(np.int64))
    table.index_put_((pairs[:-1], pairs[1:]), torch.tensor(1.0), accumulate=True)
    return (table + 1e-3).log()


def session_of(model: Model, special: Sequence[SpecialToken] = ()) -> ModelSession:
    """Return a session of a model with the tokenizer of bytes."""
    tokenizer = Bytes()
    return ModelSession(model, machine(), tokenizer, Vocabulary.of(tokenizer, special))


def tokens_of(texts: Sequence[str] = TEXTS) -> Tokens:
    """Return documents as ids, an end of text before, between and behind them."""
    tokenizer = Bytes()
    pieces = [np.array([tokenizer.end_of_text])]
    for text in texts:
        pieces += [tokenizer.encode(text), pieces[0]]
    return Tokens.of(np.concatenate(pieces).astype(np.uint16), tokenizer.end_of_text)
