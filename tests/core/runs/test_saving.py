"""What is saved can be gone on from, and what cannot be saved costs nothing that was."""

from __future__ import annotations

import contextlib
import errno
import os

import pytest
import torch
from safetensors.torch import load_file

from pentad import Optimization
from pentad.runs.checkpoint import TrainingState, checkpoint_path
from pentad.runs.newest import list_checkpoints, newest_checkpoint
from pentad.runs.saving import save_checkpoint
from pentad.testing import raises_code


def at(step):
    return TrainingState(step=step, seconds=1.5, tokens=64, steps=9, tokenizer="abc")


def broken_weight(model, optimizer):
    model.embedding.weight.data[3, 1] = torch.nan


def endless_weight(model, optimizer):
    model.head.bias.data[0] = -torch.inf


def broken_moment(model, optimizer):
    optimizer.state[model.head.weight]["momentum_buffer"] = torch.full_like(model.head.weight, torch.nan)


class Averaging(Optimization):
    """Judges other weights than it trains: broken ones."""

    @contextlib.contextmanager
    def evaluating(self):
        (weight, *_) = (parameter for group in self.groups() for parameter in group["params"])
        before = weight.data.clone()
        weight.data.fill_(torch.nan)
        yield
        weight.data.copy_(before)


@pytest.mark.parametrize("damage", [broken_weight, endless_weight, broken_moment, Averaging])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_that_nothing_can_go_on_from_are_not_saved(fakes, tmp_path, damage, dtype):
    model = fakes.Tiny().to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    save_checkpoint(tmp_path, at(1), model, Optimization(optimizers=[optimizer]), 1)
    make = Averaging if damage is Averaging else Optimization
    if damage is not Averaging:
        damage(model, optimizer)
    with raises_code("diverged"):
        save_checkpoint(tmp_path, at(2), model, make(optimizers=[optimizer]), 1)
    assert newest_checkpoint(tmp_path).checkpoint.state.step == 1
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-1"]


def test_a_moment_without_end_and_a_buffer_of_any_kind_are_saved(fakes, tmp_path):
    model = fakes.Tiny()
    model.register_buffer("mask", torch.tensor([-torch.inf, torch.nan]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.state[model.head.weight]["square"] = torch.full_like(model.head.weight, torch.inf)
    save_checkpoint(tmp_path, at(1), model, Optimization(optimizers=[optimizer]), 1)
    saved = load_file(next(tmp_path.rglob("model.safetensors")))["mask"]
    assert saved[0] == -torch.inf and saved[1].isnan()


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "Make room"),
        (errno.EDQUOT, "Make room"),
        (errno.EIO, "Check the disk"),
        (errno.EACCES, "Change the folder's rights"),
        (errno.EROFS, "Mount the disk for writing"),
    ],
)
def test_the_hint_is_of_the_failure(fakes, tmp_path, monkeypatch, number, hint):
    model = fakes.Tiny()

    def fail(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with raises_code("checkpoint-not-saved") as caught:
        save_checkpoint(tmp_path, at(1), model, None, 1)
    assert caught.value.hint == f"{hint}, then: engine resume {tmp_path}"


def test_a_removal_that_fails_leaves_the_old_checkpoint_whole_or_none(fakes, tmp_path, monkeypatch):
    model = fakes.Tiny()
    save_checkpoint(tmp_path, at(1), model, None, 1)

    def fail(*args, **kwargs):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        for name in ("unlink", "rmdir", "remove"):
            patched.setattr(os, name, fail)
        save_checkpoint(tmp_path, at(2), model, None, 1)
    assert list_checkpoints(tmp_path) == [2] and not newest_checkpoint(tmp_path).problems
    save_checkpoint(tmp_path, at(3), model, None, 1)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [checkpoint_path(tmp_path, 3).name]


def test_a_folder_that_cannot_be_listed_after_the_save_costs_nothing(fakes, tmp_path, monkeypatch):
    model = fakes.Tiny()
    save_checkpoint(tmp_path, at(1), model, None, 1)
    real = os.scandir

    def fail(folder):
        if os.fspath(folder).endswith("checkpoints"):
            raise OSError(errno.EIO, "Input/output error")
        return real(folder)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", fail)
        save_checkpoint(tmp_path, at(2), model, None, 1)
    assert newest_checkpoint(tmp_path).checkpoint.state.step == 2
    save_checkpoint(tmp_path, at(3), model, None, 1)
    assert list_checkpoints(tmp_path) == [3]
