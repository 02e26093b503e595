"""What a failure is called: memory that is full and names that are too long are no bugs."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import torch

from pentad_cli.errors import as_engine_error


def told(work):
    with pytest.raises(Exception) as caught:
        work()
    return as_engine_error(caught.value)


def test_torch_says_how_much_a_cpu_lacks():
    """More than any address space: 2 EB, and more than a size can say."""
    found = told(lambda: torch.empty(1 << 59))
    assert found.code == "memory-full" and "2.31 EB" in found.message
    assert "--batch-size" in found.hint and "--max-tokens" in found.hint
    assert told(lambda: torch.empty(1 << 62, 8)).code == "memory-full"


def test_numpy_says_it_in_units():
    found = told(lambda: np.empty(1 << 59))
    assert found.code == "memory-full" and "4.00 EiB" in found.message


@pytest.mark.parametrize(
    ("error", "code", "amount"),
    [
        (MemoryError(), "memory-full", ""),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory-full", ""),
        (
            RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8000000 bytes."),
            "memory-full",
            "8.00 MB",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has"), "memory-full", "20.00 GiB"),
        (RuntimeError("Invalid buffer size: 14.19 GB"), "memory-full", "14.19 GB"),
        (RuntimeError("unable to mmap 131 bytes from file </x>: Cannot allocate memory (12)"), "memory-full", ""),
        (ImportError("x.so: failed to map segment from shared object"), "memory-full", ""),
        (RuntimeError("shapes cannot be multiplied"), "bug", ""),
    ],
)
def test_full_memory_by_other_names(error, code, amount):
    found = as_engine_error(error)
    assert found.code == code and amount in found.message


def test_a_name_that_is_too_long(tmp_path: Path):
    found = told(lambda: (tmp_path / ("n" * 300) / "engine.json").write_text(""))
    assert found.code == "name-too-long" and f"{'n' * 30}… " in found.message
