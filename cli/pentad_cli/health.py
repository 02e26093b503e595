"""What `engine doctor` looks at, one function a topic; a function that fails is a finding itself."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pentad.config.stages import STAGES
from pentad.system.errors import one_line
from pentad_cli.group import installed
from pentad_cli.terminal.text import plural, quantity, size

LITTLE_SPACE = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the doctor's report: what was found, and what to do about it."""

    topic: str
    state: Literal["ok", "warn", "fail"]
    what: str
    hint: str = ""


def findings() -> Iterator[Finding]:
    """Look at one topic after the other."""
    from pentad.system.machine import prepare_process

    prepare_process()
    topics: dict[str, Callable[[], Finding]] = {
        "python": _python,
        "torch": _torch,
        "threads": _threads,
        "device": _device,
        "precision": _precision,
        "kernels": _kernels,
        "compiler": _compiler,
        "memory": _memory,
        "disk": _disk,
        "cache": _cache,
        "stages": _stages,
        "plugins": _plugins,
    }
    for topic, look in topics.items():
        try:
            yield look()
        except Exception as error:
            yield Finding(topic=topic, state="fail", what=one_line(error), hint=getattr(error, "hint", ""))


def _python() -> Finding:
    what = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding(topic="python", state="ok", what=what)


def _torch() -> Finding:
    try:
        import torch
    except ImportError as error:
        return Finding(topic="torch", state="fail", what=f"cannot be imported: {one_line(error)}", hint="pip install torch")
    return Finding(topic="torch", state="ok", what=f"{torch.__version__}, numpy {sys.modules['numpy'].__version__}")


def _threads() -> Finding:
    from pentad.system.machine import available_cores

    cores = available_cores()
    wanted = os.environ.get("OMP_NUM_THREADS")
    what = f"{plural(cores, 'core')} for this process, of {plural(os.cpu_count() or cores, 'core')}"
    if wanted:
        what += f"; OMP_NUM_THREADS={wanted}"
    elif cores > 1:
        what += "; a longer training measures whether fewer threads are faster"
    if os.environ.get("OMP_WAIT_POLICY", "").upper() == "ACTIVE":
        hint = "Unset OMP_WAIT_POLICY: spinning threads make a step up to 20 times slower while another program runs."
        return Finding(topic="threads", state="warn", what=f"{what}; OMP_WAIT_POLICY=ACTIVE", hint=hint)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > cores:
        hint = "Other programs keep the cores busy; a run will be slower than it could be."
        return Finding(topic="threads", state="warn", what=f"{what}; load {load:.1f}", hint=hint)
    return Finding(topic="threads", state="ok", what=what)


def _device() -> Finding:
    from pentad.system.machine import pick_machine

    device = pick_machine("auto", "fp32", None).device
    import torch

    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        what = f"cuda: {torch.cuda.get_device_name(device)}, {size(free)} of {size(total)} free"
        return Finding(topic="device", state="ok", what=what)
    if shutil.which("nvidia-smi"):
        hint = "This torch cannot use the NVIDIA GPU: install a CUDA build (https://pytorch.org)."
        return Finding(topic="device", state="warn", what=f"{device.type}, though nvidia-smi is here", hint=hint)
    return Finding(topic="device", state="ok", what=device.type)


def _precision() -> Finding:
    from pentad.system.machine import bf16_is_fast, pick_machine

    machine = pick_machine("auto", "auto", None)
    native, reason = bf16_is_fast(machine.device)
    measured = "; a longer training measures which precision is faster" if native else ""
    return Finding(topic="precision", state="ok", what=f"auto takes {machine.precision}: {reason}{measured}")


def _kernels() -> Finding:
    from pentad.speed.noted import highest_rate
    from pentad.system.machine import machine_name, pick_machine
    from pentad.train.computing.kept import remembered

    machine = pick_machine("auto", "auto", None)
    found, rate = remembered(machine), highest_rate(machine_name(machine))
    speed = f"; up to {quantity(rate, 'FLOP')} a second" if rate else ""
    if not found:
        what = f"not measured yet on this machine, {machine_name(machine)}; the first training of 10 s or more does so"
        return Finding(topic="kernels", state="ok", what=what + speed)
    times = f"{found[0].speed:.1f} times as fast as usual" if found[0].speed > 1 else "as usual"
    words = ", ".join(filter(None, (found[0].precision, found[0].in_words(), times)))
    what = f"measured for {plural(len(found), 'training')} on this machine, {machine_name(machine)}; the newest: {words}"
    return Finding(topic="kernels", state="ok", what=what + speed)


def _compiler() -> Finding:
    from pentad.system.machine import compiler_for, pick_machine

    device = pick_machine("auto", "fp32", None).device
    compiler = compiler_for(device)
    if compiler is None:
        hint = "Runs work without it; --compile on needs a C++ compiler (CPU: g++ or clang++) or triton (CUDA)."
        return Finding(topic="compiler", state="warn", what=f"none that torch.compile could use on {device.type}", hint=hint)
    return Finding(topic="compiler", state="ok", what=compiler)


def _memory() -> Finding:
    from pentad.system.machine import available_memory

    free = available_memory()
    if not free:
        return Finding(topic="memory", state="ok", what="this system does not tell")
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    what = f"{size(free)} of {size(total)} free"
    if total < 2 * LITTLE_SPACE:
        return Finding(
            topic="memory", state="warn", what=what, hint="Choose small models: engine run --dry-run estimates a run."
        )
    return Finding(topic="memory", state="ok", what=what)


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    what = f"{size(free)} free here, where runs/ goes"
    if not os.access(Path.cwd(), os.W_OK):
        return Finding(
            topic="disk", state="warn", what=f"{Path.cwd()} is not writable", hint="Work elsewhere, or use --out DIR."
        )
    if free < LITTLE_SPACE:
        return Finding(
            topic="disk", state="warn", what=what, hint="Free some space: each checkpoint takes 12 bytes a parameter."
        )
    return Finding(topic="disk", state="ok", what=what)


def _cache() -> Finding:
    from pentad.system.cache import cache_directory

    folder = cache_directory()
    used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    what = f"{size(used)} in {folder}"
    if used > 20 * LITTLE_SPACE:
        return Finding(
            topic="cache", state="warn", what=what, hint="It may be deleted at any time; runs make again what they need."
        )
    return Finding(topic="cache", state="ok", what=what)


def _stages() -> Finding:
    catalogue = installed()
    missing = [stage for stage in STAGES if not catalogue.offers(stage)]
    total = sum(len(catalogue.offers(stage)) for stage in STAGES)
    if missing:
        what = f"no {' and no '.join(missing)} is installed"
        return Finding(topic="stages", state="fail", what=what, hint="pip install pentad brings the default plugins.")
    return Finding(topic="stages", state="ok", what=f"{plural(total, 'implementation')} of {len(STAGES)} stages")


def _plugins() -> Finding:
    problems = installed().problems
    if not problems:
        return Finding(topic="plugins", state="ok", what="none is broken")
    causes = "; ".join(f"{problem.distribution} {problem.version}: {problem.cause}" for problem in problems)
    return Finding(
        topic="plugins", state="warn", what=causes, hint="Update or uninstall them; engine plugins --debug shows more."
    )
