"""The machine: settings before torch, device and precision."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from pentad.system import machine as module
from pentad.system.machine import Machine, available_cores, available_memory, compiler_for, physical_cores, pick_machine
from pentad.testing import raises_code


@pytest.fixture(autouse=True)
def one_thread():
    yield
    torch.set_num_threads(1)


def test_what_must_be_set_before_torch_is_set_without_torch():
    code = (
        "import os, sys; from pentad.system.machine import prepare_process; prepare_process();"
        "print(*map(os.environ.get, ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'TOKENIZERS_PARALLELISM')), 'torch' in sys.modules)"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OMP", "GOMP", "TOKENIZERS"))}

    def said(**more):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**environment, **more})
        return done.stdout

    assert said() == "PASSIVE 1000 true False\n"
    assert said(GOMP_SPINCOUNT="7") == "PASSIVE 7 true False\n"
    assert said(OMP_WAIT_POLICY="ACTIVE", TOKENIZERS_PARALLELISM="false") == "ACTIVE None false False\n"


@pytest.mark.parametrize(
    ("asked", "environment", "expected"), [(3, "2", 3), (None, "2", 2), (None, "", None), (None, "4,2", None)]
)
def test_threads(monkeypatch, asked, environment, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", environment)
    assert pick_machine("cpu", "fp32", asked).threads == (expected or available_cores())


@pytest.mark.parametrize("fast", [True, False])
def test_precision_follows_what_the_processor_can_do(monkeypatch, fast):
    monkeypatch.setattr(module, "bf16_is_fast", lambda device: (fast, ""))
    assert pick_machine("cpu", "auto", 1).precision == ("bf16" if fast else "fp32")


def test_a_precision_that_is_named_is_used_on_any_processor(monkeypatch):
    monkeypatch.setattr(module, "bf16_is_fast", lambda device: (False, ""))
    with pick_machine("cpu", "bf16", 1).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with Machine(device=torch.device("cpu"), precision="fp32", threads=1).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_machine("auto", "fp32", 1).device.type == "cpu"
    with raises_code("device-missing") as caught:
        pick_machine("cuda", "fp32", 1)
    assert caught.value.hint == "Use --device auto."


def test_what_the_system_tells():
    assert available_cores() >= 1 and module.resident_bytes() >= 0 and available_memory() >= 0
    if sys.platform == "linux":
        assert module.resident_bytes() > 1 << 20 and available_memory() > 1 << 20


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 4),
        ({f"cpu{number}/topology/thread_siblings_list": f"{number % 2},{number % 2 + 2}\n" for number in range(4)}, 2),
        ({"cpu.max": "150000 50000\n"}, 3),
        ({"cpu.max": "20000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 4),
    ],
)
def test_threads_of_one_core_and_a_quota_are_not_more_cores(monkeypatch, tmp_path, files, expected):
    def opened(path):
        name = next((name for name in files if path.endswith(name)), None)
        if name is None:
            raise FileNotFoundError(path)
        place = tmp_path / name.replace("/", "-")
        place.write_text(files[name])
        return place.open()

    monkeypatch.setattr(module.os, "sched_getaffinity", lambda process: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(module, "open", opened, raising=False)
    assert physical_cores() == expected


def test_no_compiler_where_there_is_none(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert compiler_for(torch.device("cpu")) is None and compiler_for(torch.device("meta")) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only there does it make a difference")
def test_the_most_memory_is_that_of_this_process_and_not_of_the_one_that_started_it():
    child = "from pentad.system.machine import peak_memory; print(peak_memory())"
    parent = f"import subprocess, sys; held = b'x' * (1 << 29); subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    found = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    assert 1 << 20 < int(found.stdout) < 1 << 29
