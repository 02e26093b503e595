"""What a failure is called: memory that is full and names that are too long are no bugs."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import torch

from pentad import UsageError
from pentad_cli.errors import as_engine_error


def told(work):
    with pytest.raises(Exception) as caught:
        work()
    return as_engine_error(caught.value)


def test_torch_says_how_much_a_cpu_lacks():
    """More than any address space: 2 EB, and more than a size can say."""
    found = told(lambda: torch.empty(1 << 59))
    assert found.message == "The memory is full: 2.31 EB at once cannot be had."
    assert "--batch-size" in found.hint and "--max-tokens" in found.hint
    assert told(lambda: torch.empty(1 << 62, 8)).message == "The memory is full."


def test_numpy_says_it_in_units():
    assert told(lambda: np.empty(1 << 59)).message == "The memory is full: 4.00 EiB at once cannot be had."


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "The memory is full."),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "The memory is full."),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8000000 bytes."), "full: 8.00 MB at once"),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has"), "The memory is full: 20.00 GiB at once"),
        (RuntimeError("Invalid buffer size: 14.19 GB"), "The memory is full: 14.19 GB at once"),
        (RuntimeError("shapes cannot be multiplied"), "Something unforeseen"),
    ],
)
def test_full_memory_by_other_names(error, message):
    assert message in as_engine_error(error).message


def test_a_name_that_is_too_long(tmp_path: Path):
    found = told(lambda: (tmp_path / ("n" * 300) / "engine.json").write_text(""))
    assert isinstance(found, UsageError)
    assert found.message == f"{'n' * 30}… cannot be used: that is a name longer than the system takes."
