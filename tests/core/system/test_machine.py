"""The machine: settings before torch, device and precision."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not Path("/sys/kernel/mm/transparent_hugepage").exists(), reason="needs huge pages"
)
def test_the_heap_asks_for_huge_pages_and_takes_no_memory_for_it():
    code = (
        "import resource; from pentad.system.machine import prepare_process;"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; before = used(); prepare_process();"
        "print(used() - before); print(open('/proc/self/smaps').read())"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    kilobytes, _, smaps = done.stdout.partition("\n")
    heaps = re.findall(r"\[heap\]\n.*?VmFlags: ([a-z0-9 ]*)", smaps, re.DOTALL)
    assert any("hg" in flags.split() for flags in heaps)
    assert int(kilobytes) < 4096
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_DATA, (300 << 20, 300 << 20)); {code}; print('alive')"
    assert "alive" in subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, env=environment).stdout


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


def test_processors_are_told_apart_by_name_and_numbers():
    """As /proc/cpuinfo has them: a virtual machine that hides the name, an EPYC, an ARM core without a name, and nothing."""
    hidden = "vendor_id : GenuineIntel\ncpu family : 6\nmodel : 207\nmodel name : Intel(R) Xeon(R) Processor\nstepping : 2\n"
    assert module._processor_of(f"{hidden}\nprocessor\t: 1\nmodel\t: 1\n") == "Intel(R) Xeon(R) Processor (6-207-2)"
    assert module._processor_of("model name : AMD EPYC  9B45\ncpu family : 26\nmodel : 17\n") == "AMD EPYC 9B45 (26-17)"
    assert module._processor_of("CPU implementer : 0x41\nCPU part : 0xd0c\n") == "(0x41-0xd0c)"
    assert module._processor_of("") == ""


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_every_processor_has_a_name(monkeypatch, system):
    def fail(*_, **__):
        raise OSError("no")

    monkeypatch.setattr(module.sys, "platform", system)
    monkeypatch.setattr("subprocess.run", fail)
    monkeypatch.setattr(Path, "read_text", fail)
    module.processor_name.cache_clear()
    assert module.processor_name()
    module.processor_name.cache_clear()


@pytest.mark.skipif(sys.platform != "linux", reason="only there does it make a difference")
def test_the_most_memory_is_that_of_this_process_and_not_of_the_one_that_started_it():
    child = "from pentad.system.machine import peak_memory; print(peak_memory())"
    parent = f"import subprocess, sys; held = b'x' * (1 << 29); subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    found = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    assert 1 << 20 < int(found.stdout) < 1 << 29
