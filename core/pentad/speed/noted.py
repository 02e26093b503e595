"""What earlier trainings found of this machine's speed, and what was planned by it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pentad.registry.resolving import Resolved, written_tables
from pentad.speed.compiling import EXPECTED, Compiling
from pentad.system.cache import cache_directory
from pentad.system.errors import EngineError
from pentad.system.files import read_json, write_atomically

SAME_SPEED = 1.3
"""A noted plan holds until the machine is found to be so many times faster or slower: nearer figures are noise."""

REMEMBERED = 5
"""Rates of a size that are kept: their median is what holds, so that one which was found under load is soon outvoted."""

PLANS = 50
"""Plans for a text and its options that are kept."""

STEP_OF = 2000.0
"""Operations of a step for the root of those of the whole training, about, by the rule for sizes and 8 x 128 tokens."""

FOLDER = "speed"
"""In the cache."""

BRIEF = " brief"
"""Marks steps of a training that is too short to choose kernels for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Planned:
    """A budget of so many seconds, the operations that it was to buy, the size of its step, and what such a step reached."""

    seconds: float
    flops: float
    step: str
    rate: float

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Planned:
        """Return what was written down.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        seconds, flops, rate = (float(found[name]) for name in ("seconds", "flops", "rate"))
        if not (seconds > 0 and flops > 0 and rate > 0 and _number(str(found["step"]))):
            raise ValueError("expected positive numbers")
        return cls(seconds=seconds, flops=flops, step=str(found["step"]), rate=rate)


@dataclasses.dataclass(kw_only=True)
class Speeds:
    """What timed steps reached on this machine by the operations of a step, and what was planned with it, kept in the cache.

    Args:
        place: the file for this machine and these kinds of model and optimizer.
        plans_of: the text and the options, which have plans of their own.
        machine: its name.
        brief: whether the training is too short for kernels to be chosen for it, and so computes in the usual way.
        compiles: whether such a training is compiled on this CPU: "auto", where it pays; "on"; or "off".
        rates: operations per second, the last few, by the size of the step; not compiled.
        compiled: what compiling was found to do, the last few times.
        plans: by the text and the options.
    """

    place: Path
    plans_of: str
    machine: str = ""
    brief: bool = False
    compiles: str = "off"
    compiled: list[Compiling] = dataclasses.field(default_factory=list)
    rates: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    plans: dict[str, list[Planned]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, resolved: Resolved, machine: str, facts: Sequence[object], *, brief: bool, compiles: str) -> Speeds:
        """Return what is noted; nothing where the file is missing or damaged.

        Args:
            resolved: the choices.
            machine: its name.
            facts: what else decides how fast it is.
            brief, compiles: see above.
        """
        stages = [resolved.offers[stage].record.name for stage in ("builder", "model", "optimizer")]
        tables = written_tables(resolved)
        training = {name: value for name, value in tables["training"].items() if name not in ("budget", "steps", "seed")}
        chosen = {name: tables.get(name) for name in ("data", "machine", *resolved.offers) if name != "sampler"}
        key = _key([torch.__version__, tables["machine"], stages, machine, *facts])
        speeds = cls(
            place=cache_directory() / FOLDER / f"{key}.json",
            plans_of=_key({**chosen, "training": training}),
            machine=machine,
            brief=brief,
            compiles=compiles,
        )
        with contextlib.suppress(EngineError, OSError, KeyError, TypeError, ValueError, AttributeError):
            found = read_json(speeds.place) if speeds.place.is_file() else {"rates": {}, "plans": {}}
            rates = {name: [float(rate) for rate in of if rate > 0] for name, of in found["rates"].items() if _number(name)}
            plans = {name: [Planned.of(plan) for plan in of] for name, of in found["plans"].items()}
            speeds.rates, speeds.plans = {name: of for name, of in rates.items() if of}, plans
            speeds.compiled = [
                Compiling(faster=float(faster), seconds=float(took)) for faster, took in found.get("compiled", ())
            ]
        return speeds

    def rate(self, flops_per_step: float) -> float:
        """Return the operations per second of a step of so many; 0 where nothing is noted.

        A larger step is no slower than a smaller one that was timed, and one between two is between them.
        """
        return self._at(self._step(flops_per_step))

    def expected(self, seconds: float) -> float:
        """Return what a training of so many seconds will reach, whose size is not known yet; 0 where nothing is noted."""
        rate = self.rate(1.0)
        for _ in range(8):  # a larger rate buys a larger model
            rate = self.rate(STEP_OF * math.sqrt(seconds * rate))
        return rate

    def note(self, flops_per_step: float, rate: float) -> None:
        """Note what a step reached, and forget the plans that it contradicts."""
        step = self._step(flops_per_step)
        self.rates[step] = [*self.rates.get(step, []), rate][-REMEMBERED:]
        self.plans = {name: [plan for plan in of if self._holds(plan)] for name, of in self.plans.items()}

    def compiling(self) -> Compiling:
        """Return what compiling is expected to do: the median of what it did and of what it does elsewhere.

        So one training that it did not help, as something else had the machine, does not end it for good. Of the times it took,
        short ones say that much was in the cache, of which the next training may have nothing.
        """
        known = [EXPECTED, *self.compiled]
        seconds = [each.seconds for each in known if each.seconds > EXPECTED.seconds / 2]
        return Compiling(faster=statistics.median(each.faster for each in known), seconds=statistics.median(seconds))

    def pays_to_compile(self, seconds: float) -> bool:
        """Say whether a training of so many seconds is compiled."""
        return self.compiles == "on" or (self.compiles == "auto" and self.compiling().pays(seconds))

    def bought(self, seconds: float) -> float:
        """Return how long one would train at the noted rates, which are not compiled, to come as far as in so many seconds."""
        return self.compiling().bought(seconds) if self.pays_to_compile(seconds) else seconds

    def note_compiling(self, found: Compiling) -> None:
        """Note what compiling did."""
        self.compiled = [*self.compiled, found][-REMEMBERED:]
        self._write()

    def in_order(self, seconds: float, flops: float) -> float:
        """Return the operations that a budget is to buy: no fewer than a shorter one was to, and no more than a longer one."""
        plans = self.plans.get(self.plans_of, [])
        least = max((plan.flops for plan in plans if plan.seconds <= seconds), default=0.0)
        most = min((plan.flops for plan in plans if plan.seconds >= seconds), default=math.inf)
        return min(max(flops, least), most)

    def keep(self, seconds: float, flops: float, flops_per_step: float) -> None:
        """Note what was planned, and write all down; where the cache cannot be written it is found out again next time.

        Args:
            seconds: the budget.
            flops: the operations that it is to buy.
            flops_per_step: of what was chosen for it, of which something is noted.
        """
        step = self._step(flops_per_step)
        others = [plan for plan in self.plans.get(self.plans_of, []) if plan.seconds != seconds]
        plan = Planned(seconds=seconds, flops=flops, step=step, rate=self._at(step))
        self.plans[self.plans_of] = [*others, plan][-PLANS:]
        self._write()

    def _write(self) -> None:
        plans = {name: [dataclasses.asdict(plan) for plan in of] for name, of in self.plans.items()}
        compiled = [(each.faster, each.seconds) for each in self.compiled]
        kept = {"machine": self.machine, "rates": self.rates, "plans": plans, "compiled": compiled}
        with contextlib.suppress(OSError):
            self.place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.place, json.dumps(kept) + "\n")

    def _step(self, flops_per_step: float) -> str:
        """Return the name of the steps that are about as large, eight to each doubling, and computed alike."""
        return f"{round(8 * math.log2(max(flops_per_step, 2.0)))}{BRIEF if self.brief else ''}"

    def _at(self, step: str) -> float:
        brief = step.endswith(BRIEF)
        noted = {_number(name): sorted(of)[len(of) // 2] for name, of in self.rates.items() if name.endswith(BRIEF) == brief}
        if not noted:
            return self._at(step.removesuffix(BRIEF)) if brief else 0.0
        numbers = sorted(noted)
        rising = list(itertools.accumulate((math.log(noted[number]) for number in numbers), max))
        return math.exp(float(np.interp(_number(step), numbers, rising)))

    def _holds(self, plan: Planned) -> bool:
        return 1 / SAME_SPEED < self._at(plan.step) / plan.rate < SAME_SPEED


def highest_rate(machine: str) -> float:
    """Return the most operations per second that are noted of this machine, whatever was trained; 0 where nothing is."""
    most = 0.0
    for place in (cache_directory() / FOLDER).glob("*.json"):
        with contextlib.suppress(EngineError, OSError, KeyError, TypeError, ValueError, AttributeError):
            found = read_json(place)
            if found["machine"] == machine:
                most = max(most, *(statistics.median(float(rate) for rate in of) for of in found["rates"].values()))
    return most


def _number(name: str) -> int:
    return int(name.removesuffix(BRIEF))


def _key(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, default=str, sort_keys=True).encode()).hexdigest()[:24]
