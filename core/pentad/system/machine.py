"""The machine: settings of the process, the device, the number format.

`prepare_process` imports no torch, because its settings count only before torch is imported.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pentad.system.errors import UsageError

if TYPE_CHECKING:
    import torch

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # glibc, malloc.h
_MADV_HUGEPAGE = 14  # linux, mman.h
_HUGE = 2 << 20
_PIECE, _PIECES = 31 << 20, 24
"""What the heap is grown by, a little less than what glibc would map for itself, and how often: 744 MB, where a step lies."""


def prepare_process() -> None:
    """Set what must be set before torch is imported; what the user's environment says already is kept.

    OpenMP threads that wait must sleep and not spin for long: with spinning, one other busy process makes a step 20 times
    slower, with sleeping 1.4 times. A few microseconds of spinning before the sleep spare most of the wake-ups: a step of the
    default recipe takes 0.84 of its time, and no more than before beside a busy process (benchmarks/LOG.md). glibc must keep
    freed memory: giving each step's activations back to the kernel and faulting them in again costs a tenth of a step.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # huggingface/tokenizers warns at every later fork unless told.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    if sys.platform == "linux" and "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        libc = ctypes.CDLL(None)
        mallopt = getattr(libc, "mallopt", None)
        if mallopt is not None:  # absent in musl
            mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the largest that glibc takes
            mallopt(_M_TRIM_THRESHOLD, 1 << 30)
            mallopt(_M_TOP_PAD, 64 << 20)
            _ask_for_huge_pages(libc)


def _ask_for_huge_pages(libc: ctypes.CDLL) -> None:
    """Let the heap have pages of 2 MB, where the system gives them to who asks: tensors of a step lie all over it.

    The heap must be there to ask for it, so it is grown once; what is never written takes no memory.
    """
    libc.malloc.restype, libc.sbrk.restype = ctypes.c_void_p, ctypes.c_void_p
    libc.malloc.argtypes, libc.free.argtypes, libc.sbrk.argtypes = [ctypes.c_size_t], [ctypes.c_void_p], [ctypes.c_ssize_t]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    pieces = [libc.malloc(_PIECE) for _ in range(_PIECES)]
    first, last = min(piece or 0 for piece in pieces), libc.sbrk(0) or 0
    start = -(-first // _HUGE) * _HUGE
    if first and start < last:
        libc.madvise(start, last - start, _MADV_HUGEPAGE)  # refused where the kernel has none
    for piece in pieces:
        libc.free(piece)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where and how a run computes.

    Args:
        device: cpu, cuda or mps, with an index where there are several.
        precision: fp32 or bf16.
        threads: CPU threads of one operation.
        products: how fp32 matrices are multiplied: torch's float32 matmul precision.
    """

    device: torch.device
    precision: str
    threads: int
    products: str = "highest"

    def autocast(self) -> torch.autocast:
        """Return the context in which the model is called."""
        import torch

        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")

    @property
    def wide(self) -> torch.dtype:
        """The dtype of sums over many numbers: float64, which mps does not have."""
        import torch

        return torch.float32 if self.device.type == "mps" else torch.float64

    def seed(self, number: int) -> None:
        """Seed torch's generators of the CPU and of the device.

        `torch.manual_seed` also asks each kind of device that is not there, and keeps a stack trace for it: 0.2 to 0.6 ms.
        """
        import torch

        torch.default_generator.manual_seed(number)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(number)
        elif self.device.type == "mps":
            torch.mps.manual_seed(number)

    def synchronize(self) -> None:
        """Wait until the device has done what was asked of it."""
        import torch

        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()


def pick_machine(device: str, precision: str, threads: int | None) -> Machine:
    """Turn the options into a machine, and set torch's threads.

    Raises:
        UsageError: the device is not there, or it cannot compute in that precision.
    """
    prepare_process()
    import torch

    torch.set_num_threads(asked_threads(threads) or available_cores())
    place = _pick_device(device)
    fast, _ = bf16_is_fast(place)
    if precision == "bf16" and place.type == "mps":
        raise UsageError("--precision bf16 is not supported on mps.", "Use --precision fp32.", code="precision-unsupported")
    products = "high" if place.type == "cuda" else "highest"  # on cuda the few fp32 products run in TF32
    torch.set_float32_matmul_precision(products)
    chosen = ("bf16" if fast else "fp32") if precision == "auto" else precision
    return Machine(device=place, precision=chosen, threads=torch.get_num_threads(), products=products)


def asked_threads(threads: int | None) -> int:
    """Return the CPU threads that the option or the environment asks for; 0 where both leave them open."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return threads or (int(asked) if asked.isdecimal() else 0)


def _pick_device(device: str) -> torch.device:
    import torch

    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[device]:
        found = ", ".join(name for name, there in present.items() if there)
        raise UsageError(
            f"--device {device} is not on this machine; found {found}.", "Use --device auto.", code="device-missing"
        )
    if device == "cuda":
        local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        torch.cuda.set_device(local_rank)
        return torch.device("cuda", local_rank)
    return torch.device(device)


def bf16_is_fast(device: torch.device) -> tuple[bool, str]:
    """Say whether bf16 is faster than fp32 there, and why.

    On CPUs without native bf16 products autocast is 14 to 100 times slower than fp32.
    """
    import torch

    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
        return native, "the GPU has bf16 units" if native else "the GPU has no bf16 units"
    if device.type == "cpu":
        native = bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
        # oneDNN multiplies in bf16; it may have been told to use fewer instructions than there are (ONEDNN_MAX_CPU_ISA).
        native = native and torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        return native, "the CPU has bf16 instructions" if native else "the CPU has no bf16 instructions"
    return False, f"not measured on {device.type}"


def machine_name(machine: Machine) -> str:
    """Return what decides which kernels are fast: the GPU's name, or the CPU's with the instructions that are used."""
    import torch

    if machine.device.type == "cuda":
        return torch.cuda.get_device_name(machine.device)
    native = "bf16" if bf16_is_fast(machine.device)[0] else "no bf16"
    return f"{machine.device.type} {processor_name()}, {torch.backends.cpu.get_cpu_capability()}, {native}"


@functools.cache
def processor_name() -> str:
    """Return what the CPU's maker calls it, with family, model and stepping, as a virtual machine may hide the name.

    Where the system does not tell, its architecture; it never fails.
    """
    import platform
    import subprocess

    with contextlib.suppress(Exception):
        if sys.platform == "linux" and (found := _processor_of(Path("/proc/cpuinfo").read_text(errors="replace"))):
            return found
        if sys.platform == "darwin":
            told = subprocess.run(
                ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, timeout=5
            )
            if told.stdout.strip():
                return told.stdout.strip()
    return platform.processor() or platform.machine() or "unknown"


def _processor_of(cpuinfo: str) -> str:
    """Return the first processor's name and numbers: "AMD EPYC 9B45 (26-17-0)"; on ARM the numbers of its parts."""
    told: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        told.setdefault(key.strip(), value.strip())
    numbers = [told[key] for key in ("cpu family", "model", "stepping") if key in told]
    numbers = numbers or [told[key] for key in ("CPU implementer", "CPU part", "CPU variant") if key in told]
    name = " ".join((told.get("model name") or told.get("Hardware") or told.get("vendor_id") or "").split())
    return f"{name} ({'-'.join(numbers)})".strip() if numbers else name


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def physical_cores() -> int:
    """Return how many cores this process may use at once: threads that share one count as one, and a group's quota holds."""
    if not hasattr(os, "sched_getaffinity"):
        return available_cores()
    siblings = {_siblings(number) for number in os.sched_getaffinity(0)}
    return max(1, min(len(siblings), _quota_of_group() or len(siblings)))


def _siblings(number: int) -> str:
    """Return which processors share a core with this one; itself where the system does not tell."""
    with contextlib.suppress(OSError), open(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list") as file:
        return file.read().strip()
    return str(number)


def _quota_of_group() -> int:
    """Return the cores' worth of time that the control group allows; 0 where it sets no limit."""
    with contextlib.suppress(OSError, ValueError), open("/sys/fs/cgroup/cpu.max") as file:
        quota, period = file.read().split()
        return max(1, int(quota) // int(period))
    return 0


def compiler_for(device: torch.device) -> str | None:
    """Return the compiler that torch.compile would use there, or None when there is none."""
    if device.type == "cpu":
        return next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)
    if device.type == "cuda":
        import importlib.util

        return "triton" if importlib.util.find_spec("triton") else None
    return None


def available_memory() -> int:
    """Return the bytes of memory that are free for this process, or 0 where the system does not tell."""
    limits = [found for found in (_free_of_machine(), _free_of_group()) if found]
    return min(limits, default=0)


def _free_of_machine() -> int:
    with contextlib.suppress(OSError, ValueError), open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def _free_of_group() -> int:
    """Return what the control group, a container's say, leaves; 0 where there is none or it sets no limit."""
    group = "/sys/fs/cgroup"
    with contextlib.suppress(OSError, ValueError):
        with open(f"{group}/memory.max") as limit, open(f"{group}/memory.current") as used:
            left = int(limit.read()) - int(used.read())
        with open(f"{group}/memory.stat") as file:
            cached = sum(int(line.split()[1]) for line in file if line.startswith("inactive_file "))
        return max(0, left + cached)
    return 0


def resident_bytes() -> int:
    """Return the memory that this process holds now, or 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def peak_memory() -> int:
    """Return the most bytes that this process has held, of the GPU if it computed there; 0 where the system does not tell."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    with contextlib.suppress(OSError, ValueError), open("/proc/self/status") as file:
        for line in file:  # before `ru_maxrss`, which a process inherits: a small one that a large one started would seem large
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return 0  # Windows does not tell
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
