"""A model of the library transformers as a model of ours, so that both decode with the very same one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from pentad import Catalogue, Choice, Decoder, Model, Output, Session, make
from pentad.testing.subjects import Bytes, session_of


class Seen:
    """The tokens (B, T) that were read: a state that can select and truncate."""

    def __init__(self, tokens: Tensor) -> None:
        self.tokens = tokens

    def select(self, rows: Tensor) -> Seen:
        return Seen(self.tokens[rows])

    def truncate(self, length: int) -> Seen:
        return Seen(self.tokens[:, :length])


class Peer(Model):
    """GPT-2 as transformers has it. Each call reads the whole text again."""

    attention = frozenset({"causal"})

    def __init__(self, peer: Any) -> None:
        super().__init__()
        self.peer, self.vocab_size, self.context_length = peer, peer.config.vocab_size, peer.config.n_positions

    def forward(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        tokens = inputs if state is None else torch.cat([state.tokens, inputs], dim=1)
        features = self.peer.transformer(tokens).last_hidden_state[:, -inputs.shape[1] :]
        return Output(features, Seen(tokens))

    def logits(self, features: Tensor) -> Tensor:
        return self.peer.lm_head(features)

    def initial_state(self, batch_size: int, max_length: int) -> Seen:
        return Seen(torch.zeros(batch_size, 0, dtype=torch.int64))


def peer_of(seed: int, boldness: float = 0.2) -> Any:
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=257, n_positions=48, n_embd=16, n_layer=1, n_head=2, bos_token_id=256, eos_token_id=256, pad_token_id=256
    )
    peer = transformers.GPT2LMHeadModel(config).eval()
    for parameter in peer.parameters():
        torch.nn.init.normal_(parameter, std=boldness)
    # Texts end now and then, and are of few bytes: the end and some letters are likelier than the rest.
    with torch.no_grad():
        peer.lm_head.weight[97:104] *= 3
        peer.lm_head.weight[256] = 0.8 * peer.lm_head.weight[98] + 0.2 * peer.lm_head.weight[99]
    return peer


@pytest.fixture(scope="session")
def peer() -> Any:
    return peer_of(4)


@pytest.fixture
def session(peer: Any) -> Session:
    return session_of(Peer(peer))


@pytest.fixture(scope="session")
def decoder() -> Any:
    """Make a decoder by its name and options, for texts of bytes."""
    catalogue, tokenizer = Catalogue(), Bytes()
    vocabulary = session_of(Peer(peer_of(0))).vocabulary

    def made(name: str, **options: Any) -> Decoder:
        return make("sampler", Choice(name, **options), catalogue=catalogue, tokenizer=tokenizer, vocabulary=vocabulary)

    return made
