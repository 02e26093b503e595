"""Each wrong observer is caught by the check meant for it, and by no other."""

from __future__ import annotations

import random

import pytest

from pentad import Observer, RunObserver, ScaleLearningRate, StopTraining
from pentad.testing import ObserverConformance


class Right(RunObserver):
    """Writes the losses beside the run and asks for its end; every other observer breaks one promise."""

    def __init__(self, options):
        self.losses = []

    def on_start(self, event):
        self.losses = []

    def on_step(self, event):
        self.losses.append(event.loss)
        return ScaleLearningRate(factor=0.5) if len(self.losses) == 3 else None

    def on_evaluation(self, event):
        return StopTraining(reason="it gets worse") if event.score > 3 and not event.final else None

    def on_end(self, event):
        (event.folder / "losses.txt").write_text(str(self.losses), encoding="utf-8")


class ForgetsToCreateItsFile(Right):
    def on_step(self, event):
        super().on_step(event)
        return self.nothing


class WantsBitsPerByte(Right):
    def on_end(self, event):
        round(event.evaluation.scores["bits_per_byte"], 3)


class WantsANewFolder(Right):
    def on_start(self, event):
        (event.folder / "mine").mkdir()


class ServesOnce(Right):
    def __init__(self, options):
        super().__init__(options)
        self.open = True

    def on_start(self, event):
        if not self.open:
            raise ValueError("closed")

    def on_end(self, event):
        self.open = False


class AnswersWithAWord(Right):
    def on_evaluation(self, event):
        return "stop"


class AsksBeforeTheStart(Right):
    def on_checkpoint(self, event):
        return StopTraining(reason="saved")


class GivesNoReason(Right):
    def on_evaluation(self, event):
        return StopTraining(reason="")


class ScalesByNothing(Right):
    def on_step(self, event):
        return ScaleLearningRate(factor=0.0)


class Prints(Right):
    def on_step(self, event):
        print(event.loss)


class DrawsALot(Right):
    def on_step(self, event):
        random.random()


def failures(observer):
    record = Observer(name="wrong", summary="", factory=observer)
    kit = type("Kit", (ObserverConformance,), {"implementation": record})()
    return {check: result.note for check in kit.checks() if (result := kit.run(check)).outcome != "passed"}


def test_a_right_observer_passes():
    assert failures(Right) == {}


@pytest.mark.parametrize(
    ("observer", "check"),
    [
        (WantsBitsPerByte, "takes_any_score"),
        (WantsANewFolder, "takes_an_interrupted_run"),
        (ServesOnce, "takes_two_runs"),
        (AnswersWithAWord, "asks_for_what_can_be_done"),
        (AsksBeforeTheStart, "asks_for_what_can_be_done"),
        (GivesNoReason, "asks_for_what_can_be_done"),
        (ScalesByNothing, "asks_for_what_can_be_done"),
        (Prints, "leaves_stdout_alone"),
        (DrawsALot, "draws_no_random_numbers"),
    ],
)
def test_a_wrong_observer_is_caught_by_the_check_meant_for_it(observer, check):
    found = failures(observer)
    assert list(found) == [check], found


def test_one_that_raises_is_told_with_file_and_line():
    note = failures(ForgetsToCreateItsFile)["takes_a_whole_run"]
    assert "AttributeError" in note and "test_observer.py, line " in note
