"""The size of the vocabulary goes by the text that is read."""

from __future__ import annotations

import pytest

from pentad import Situation
from pentad_bpe.options import BPEOptions
from pentad_bpe.sizing import advise


def size(**situation) -> int:
    return advise(BPEOptions(), Situation(**situation)).values["vocab_size"]


@pytest.mark.parametrize(
    ("n_bytes", "expected"),
    [(500, 512), (336_000, 1024), (1_000_000, 1024), (20_000_000, 2048), (10**9, 8192), (10**13, 16384)],
)
def test_it_grows_with_the_text(n_bytes, expected):
    assert size(train_bytes=n_bytes) == expected


def test_a_small_budget_reads_little_of_a_large_text():
    assert size(train_bytes=10**9, flops=8e12, seconds=150.0) == 1024
    assert size(train_bytes=10**9, tokens=1e6) == 1024
    assert size(train_bytes=10**9, flops=1e18) == 8192
