"""What is measured of a machine's speed."""

from __future__ import annotations

import dataclasses
import time

from pentad.speed.measured import LEAST_SHARE, CoreShare, measured_rate
from pentad.system.processes import World


def test_the_machine_is_measured_quickly(cpu):
    assert measured_rate(cpu, World()) > 1e6


def test_who_waits_has_less_of_a_core(cpu):
    with CoreShare(cpu) as waiting:
        time.sleep(0.05)
    assert waiting.share == LEAST_SHARE
    with CoreShare(dataclasses.replace(cpu, threads=2)) as several:
        time.sleep(0.01)
    assert several.share == 1.0, "the clock alone tells"
