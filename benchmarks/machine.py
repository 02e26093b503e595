"""On what was measured."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime

from pentad.system.machine import available_cores


def describe(threads: int) -> dict[str, object]:
    """Return what a reader needs to judge the figures. Imports no torch, since the first bench times starts."""
    import importlib.metadata

    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(),
        "cores": available_cores(),
        "threads": threads,
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch"),
        "load": load_average(),
    }


def cpu_model() -> str:
    """Return the CPU's name, or the architecture where the system does not tell."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else (platform.processor() or platform.machine())


def load_average() -> float | None:
    """Return how many tasks wanted to run, over the last minute; None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
