"""Logits to test with, and what makes a sampler by its name and options as a user does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from pentad import END_OF_TEXT, Catalogue, Choice, Sampler, Tokenizer, Vocabulary, make

Made = Callable[..., Sampler]


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """Bytes, an id each, and the end of text."""
    made = make("tokenizer", "byte")
    assert made.special_tokens == {END_OF_TEXT: 256}
    return made


@pytest.fixture(scope="session")
def sampler(tokenizer: Tokenizer) -> Made:
    """Make a sampler by its name and options, for texts of bytes or of another tokenizer."""
    catalogue = Catalogue()

    def made(name: str, cuts: Tokenizer = tokenizer, **options: Any) -> Sampler:
        choice = Choice(name, **options)
        return make("sampler", choice, catalogue=catalogue, tokenizer=cuts, vocabulary=Vocabulary.of(cuts))

    return made


@pytest.fixture(scope="session")
def logits() -> torch.Tensor:
    """Rows (6, 257) from nearly flat to nearly certain."""
    boldness = torch.tensor([0.3, 1.0, 2.0, 3.0, 5.0, 9.0])[:, None]
    return boldness * torch.randn(6, 257, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="session")
def tokens() -> torch.Tensor:
    """Texts (6, 40) of few different bytes, so that much is repeated."""
    return torch.randint(97, 103, (6, 40), generator=torch.Generator().manual_seed(3))
