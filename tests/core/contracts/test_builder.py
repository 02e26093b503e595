from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pentad import IGNORED, Batch, pairs, segments_of

E = 0


@pytest.mark.parametrize(
    ("row", "segments"),
    [
        ([1, 2, 3, 4, 5], None),
        ([E, 1, 2, 3, 4], None),  # the row starts with its document's opening
        ([1, 2, E, 3, 4], [0, 0, 1, 1, 1]),  # an end-of-text belongs to the document that it opens
        ([1, E, E, 3, E], [0, 1, 2, 2, 3]),  # an empty document is one too
        ([E, E, 1, 2, 3], [0, 1, 1, 1, 1]),
    ],
)
def test_segments_of_five_tokens(row, segments):
    found = segments_of(np.array([row]), E)
    assert found is None if segments is None else found.tolist() == [segments]


def test_rows_are_numbered_apart():
    found = segments_of(np.array([[1, E, 2], [1, 2, 3]]), E)
    assert found.tolist() == [[0, 1, 1], [0, 0, 0]]


@given(arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 12)), elements=st.integers(0, 2)))
def test_segments_start_at_0_and_rise_by_one_at_each_end_of_text(inputs):
    segments = segments_of(inputs, E)
    if segments is None:
        assert not (inputs[:, 1:] == E).any()
        return
    assert segments.shape == inputs.shape and segments.dtype == np.int64
    assert (segments[:, 0] == 0).all()
    assert np.array_equal(np.diff(segments, axis=1), (inputs[:, 1:] == E).astype(np.int64))


def test_pairs_are_what_textbooks_draw():
    batch = Batch(
        inputs=np.array([[E, 1, 2, E, 3], [4, 5, E, E, E]]),
        targets=np.array([[1, 2, E, 3, 4], [IGNORED, 6, IGNORED, IGNORED, IGNORED]]),
        segments=np.array([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]),
    )
    assert list(pairs(batch, E)) == [([], 1), ([1], 2), ([1, 2], E), ([], 3), ([3], 4), ([4, 5], 6)]


def test_importing_examples_imports_no_torch():
    code = "import sys, pentad.contracts.builder, pentad.data.examples.shuffling; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
