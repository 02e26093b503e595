"""Trainings that the studio starts: stopped as by Ctrl-C, and never left behind."""

from __future__ import annotations

import sys

import pytest

from pentad.testing import raises_code
from pentad_studio.runs import jobs
from pentad_studio.runs.jobs import Jobs

WAITS = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def started(monkeypatch):
    """Jobs whose processes run a script in the place of the engine."""
    real = jobs.subprocess.Popen

    def popen(command, **options):
        script = WAITS if "wait" in command else "print('no such thing'); raise SystemExit(2)"
        return real([sys.executable, "-c", script], **options)

    monkeypatch.setattr(jobs.subprocess, "Popen", popen)
    found = Jobs()
    yield found
    found.end()


def ready(job):
    while "ready" not in job.last_words():
        assert job.running
    return job


def test_a_training_is_stopped_and_is_no_failure(started):
    job = ready(started.start("one", ["wait"]))
    assert started.is_running("one")
    with raises_code("run-in-use"):
        started.start("one", ["wait"])
    started.stop("one")
    assert job.process.wait(10) == 130
    assert not job.failed and not started.is_running("one")
    with raises_code("not-started-here"):
        started.stop("one")


def test_one_that_fails_says_why(started):
    job = started.start("two", ["fail"])
    job.process.wait(10)
    assert job.failed and "no such thing" in job.last_words()


def test_the_studio_leaves_none_behind(started):
    job = ready(started.start("three", ["wait"]))
    assert started.end() == ["three"]
    assert job.process.poll() == 130
