"""Observers hear every event; one that raises is reported once and left out."""

from __future__ import annotations

import pytest

from pentad import RunObserver
from pentad.contracts.observer import Observers, Preparation, Saved


class Listener(RunObserver):
    def __init__(self):
        self.heard = []

    def on_preparation(self, event):
        self.heard.append(event.what)


class Broken(Listener):
    def on_preparation(self, event):
        super().on_preparation(event)
        raise RuntimeError("no network\nand a long story")


def test_a_raising_observer_is_reported_once_and_left_out():
    before, broken, after = Listener(), Broken(), Listener()
    observers = Observers([before, broken, after])
    with pytest.warns(UserWarning, match="Broken raised in on_preparation and is left out .*: RuntimeError: no network$"):
        observers.on_preparation(Preparation(what="one"))
    observers.on_preparation(Preparation(what="two"))
    assert (before.heard, broken.heard, after.heard) == (["one", "two"], ["one"], ["one", "two"])


def test_ctrl_c_in_an_observer_is_no_fault_of_it():
    class Stopped(RunObserver):
        def on_checkpoint(self, event):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Observers([Stopped()]).on_checkpoint(Saved(step=1, path=None))  # type: ignore[arg-type]


def test_every_event_is_passed_on():
    methods = [name for name in dir(RunObserver) if name.startswith("on_")]
    heard = []
    listener = type("All", (RunObserver,), {name: (lambda self, event, name=name: heard.append(name)) for name in methods})()
    for name in methods:
        getattr(Observers([listener]), name)(None)
    assert heard == methods and len(methods) == 7
