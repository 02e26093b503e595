"""Calibration: by hand, of models that are as sure as they are right and of others, and the picture."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from pentad import HeldOut, Tokens
from pentad.testing import EvaluatorConformance
from pentad.testing.subjects import Table, session_of
from pentad_calibration.evaluator import Calibration, picture
from pentad_calibration.options import CalibrationOptions


class TestCalibration(EvaluatorConformance):
    name = "calibration"
    expected_failures = {"a_better_model_scores_better": "one that knows nothing and says so is calibrated as well"}


SIZE = 257


def text(n=4000, share=0.7, seed=0):
    """An `a` is followed by a `b` in this share of cases, else by a `c`; and these by an `a`."""
    drawn = np.where(np.random.default_rng(seed).random(n) < share, 98, 99)
    ids = np.stack([np.full(n, 97), drawn], axis=1).reshape(-1)
    ids = np.concatenate([[256], ids, [256]])
    return HeldOut(tokens=Tokens.of(ids, 256), n_bytes=2 * n, context_length=50)


def model(sure):
    """A table that holds `b` behind `a` for so sure, and is certain of all else."""
    table = torch.full((SIZE, SIZE), -30.0)
    table[97, 98], table[97, 99] = math.log(sure), math.log(1 - sure)
    table[98, 97] = table[99, 97] = table[256, 97] = 30.0
    return Table(table)


def scores(sure, share=0.7, **options):
    return Calibration(CalibrationOptions(**options)).evaluate(session_of(model(sure)), text(share=share))


def test_what_is_70_percent_sure_comes_true_70_times_in_100():
    found = scores(0.72, share=0.72)
    assert found["calibration_error"] == pytest.approx(0, abs=0.01)
    assert found["bin_7_confidence"] == pytest.approx(0.72, abs=1e-4)
    assert found["bin_7_accuracy"] == pytest.approx(0.72, abs=0.02)
    assert found["bin_7_share"] == found["bin_9_share"] == pytest.approx(0.5)
    assert found["bin_9_accuracy"] == pytest.approx(1)
    assert found["n_tokens"] == found["n_bytes"] == 8000


def test_a_model_that_is_too_sure_and_one_that_is_not_sure_enough():
    # Half of the positions are off by 0.25: the error is half of that.
    sure, shy = scores(0.95), scores(0.55, share=0.8)
    assert sure["calibration_error"] == pytest.approx(0.125, abs=0.01) == pytest.approx(sure["overconfidence"], abs=0.011)
    assert shy["overconfidence"] == pytest.approx(-0.125, abs=0.01)


def test_only_what_is_learned_is_scored():
    held_out = text(50)
    learn = np.zeros(len(held_out.tokens), bool)
    learn[3:5] = True
    tokens = Tokens(ids=held_out.tokens.ids, starts=held_out.tokens.starts, learn=learn)
    found = Calibration(CalibrationOptions()).evaluate(
        session_of(model(0.7)), HeldOut(tokens=tokens, n_bytes=2, context_length=8)
    )
    assert found["n_tokens"] == 2


def test_the_table_and_the_picture_have_the_bins(tmp_path):
    path = tmp_path / "curve.svg"
    found = scores(0.72, picture=str(path))
    rows = Calibration(CalibrationOptions()).table(found)
    assert [row[0] for row in rows[1:]] == ["0.70 to 0.80", "0.90 to 1.00"]
    assert ElementTree.fromstring(path.read_text()).tag.endswith("svg")
    assert path.read_text() == picture(found)
    few = HeldOut(tokens=text().tokens, n_bytes=8000, context_length=50, max_tokens=100)
    other = tmp_path / "few.svg"
    Calibration(CalibrationOptions(picture=str(other))).evaluate(session_of(model(0.7)), few)
    assert not other.exists()  # on the way of a training only a part is scored
