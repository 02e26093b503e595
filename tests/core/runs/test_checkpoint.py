"""Checkpoints: the newest complete one loads, whatever happened while it was written or lay on the disk."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import struct

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from pentad import EngineError, Optimization
from pentad.runs.checkpoint import TrainingState, load_checkpoint
from pentad.runs.newest import Newest, list_checkpoints, newest_checkpoint
from pentad.runs.saving import save_checkpoint
from pentad.system.files import SEAL, facts_of_file
from pentad.system.opening import list_files
from pentad.testing import raises_code

STATE = TrainingState(step=1, seconds=1.5, tokens=64, steps=9, tokenizer="abc", bits_per_byte=2.5)


def at(step):
    return TrainingState(**{**vars(STATE), "step": step})


def trained(model, make=torch.optim.AdamW, steps=2, **kwargs):
    torch.manual_seed(0)
    optimizer = make(model.parameters(), **{"lr": 0.1, **kwargs})
    for _ in range(steps):
        optimizer.zero_grad()
        model.logits(model(torch.arange(8)[None]).features).logsumexp(-1).sum().backward()
        optimizer.step()
    return optimizer


def save(run, model, optimizer, step=1, keep=9):
    return save_checkpoint(run, at(step), model, Optimization(optimizers=[optimizer]), keep)


@pytest.mark.parametrize("make", [torch.optim.AdamW, torch.optim.SGD, torch.optim.Adagrad, torch.optim.NAdam])
def test_a_checkpoint_brings_everything_back(fakes, tmp_path, make):
    model = fakes.Tiny()
    optimizer = trained(model, make)
    save(tmp_path, model, optimizer)
    replica = fakes.Tiny()
    other = make(replica.parameters(), lr=0.1)
    checkpoint = load_checkpoint(tmp_path, 1)
    assert checkpoint.state == STATE
    checkpoint.restore_model(replica)
    checkpoint.restore_optimizers([other])
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, replica.state_dict()[name])
    for each, its_twin in zip(optimizer.state_dict()["state"].values(), other.state_dict()["state"].values(), strict=True):
        assert each.keys() == its_twin.keys()
        assert all(torch.equal(torch.as_tensor(each[name]), torch.as_tensor(its_twin[name])) for name in each)


def test_what_an_optimizer_counts_in_its_groups_comes_back(fakes, tmp_path):
    """Schedule-free optimizers keep their step and the sum of weights there."""
    model = fakes.Tiny()
    optimizer = trained(model)
    optimizer.param_groups[0].update(k=7, weight_sum=1.25, scheduled=[1, 2])
    save(tmp_path, model, optimizer)
    other = torch.optim.AdamW(model.parameters(), lr=0.1)
    load_checkpoint(tmp_path, 1).restore_optimizers([other])
    group = other.param_groups[0]
    assert (group["k"], group["weight_sum"], group["scheduled"], group["betas"]) == (7, 1.25, (1, 2), (0.9, 0.999))
    assert len(group["params"]) == 3


def test_tied_weights_are_saved_once(fakes, tmp_path):
    model, replica = fakes.Tiny(tied=True), fakes.Tiny(tied=True)
    place = save(tmp_path, model, trained(model))
    assert list(load_file(place / "model.safetensors")) == ["embedding.weight"]
    load_checkpoint(tmp_path, 1).restore_model(replica)
    assert torch.equal(replica.head.weight, model.head.weight) and replica.head.weight is replica.embedding.weight


def test_views_and_strides_are_saved(fakes, tmp_path):
    model, replica = fakes.Tiny(), fakes.Tiny()
    for each in (model, replica):
        table = torch.arange(12.0).reshape(3, 4)
        each.register_buffer("view", table[1])
        each.register_buffer("other", table[2])
        each.register_buffer("turned", table.t())
        each.register_buffer("nothing", torch.zeros(0, 3))
        each.register_buffer("count", torch.tensor(5))
    save(tmp_path, model, trained(model))
    replica.turned.zero_()
    load_checkpoint(tmp_path, 1).restore_model(replica)
    assert torch.equal(replica.turned, torch.arange(12.0).reshape(3, 4).t())


def test_old_checkpoints_go_and_damaged_newer_ones_never_cost_a_whole_one(fakes, tmp_path):
    model = fakes.Tiny()
    optimizer = trained(model)
    for step in (1, 2, 3, 30):
        save(tmp_path, model, optimizer, step, keep=2)
    assert list_checkpoints(tmp_path) == [30, 3]
    (tmp_path / "checkpoints/step-30/state.json").write_text("{}")
    (tmp_path / "checkpoints/step-31.0a1b2c3d.part").mkdir()  # left by a killed process
    save(tmp_path, model, optimizer, 4, keep=1)
    assert 4 in list_checkpoints(tmp_path) and newest_checkpoint(tmp_path).checkpoint.state.step == 4
    save(tmp_path, model, optimizer, 30, keep=2)  # and the damaged one is replaced when the run comes there again
    assert newest_checkpoint(tmp_path).checkpoint.state.step == 30
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step-30", "step-4"]


def test_killed_at_every_write_the_newest_complete_one_loads(fakes, tmp_path, killed_at):
    model = fakes.Tiny()
    optimizer = trained(model)
    start = tmp_path / "start"
    save(start, model, optimizer, 1)
    save(start, model, optimizer, 2)
    found, count = set(), 1
    while True:
        run = shutil.copytree(start, tmp_path / str(count))
        killed = killed_at(count, lambda run=run: save(run, model, optimizer, 3, keep=2))
        checkpoint, problems = (newest := newest_checkpoint(run)).checkpoint, newest.problems
        found.add(checkpoint.state.step)
        assert checkpoint.state.step in (2, 3) and not problems
        checkpoint.restore_model(fakes.Tiny())
        if not killed:
            break
        save(run, model, optimizer, 3, keep=2)  # and the next try succeeds and sweeps up
        assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["step-2", "step-3"]
        count += 1
    assert found == {2, 3} and count > 10


@pytest.mark.parametrize("name", ["fsync", "rename", "mkdir"])
def test_a_full_disk_is_said_and_the_older_checkpoint_stands(fakes, tmp_path, monkeypatch, name):
    model = fakes.Tiny()
    optimizer = trained(model)
    save(tmp_path, model, optimizer)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, name, full)
        with raises_code("checkpoint-not-saved") as caught:
            save(tmp_path, model, optimizer, 2)
    assert caught.value.hint == f"Make room, then: engine resume {tmp_path}"
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-1"]
    load_checkpoint(tmp_path, 1).restore_model(model)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount a small disk")
def test_a_disk_that_is_really_full(fakes, tmp_path):
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("cannot mount")
    try:
        small, large = fakes.Tiny(), fakes.Tiny(vocab_size=20_000)
        save(disk, small, trained(small))
        with raises_code("checkpoint-not-saved"):
            save(disk, large, trained(large), 2)
        assert newest_checkpoint(disk).checkpoint.state.step == 1
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_flipped_bit_in_any_file_falls_back(fakes, tmp_path):
    model = fakes.Tiny()
    optimizer = trained(model)
    save(tmp_path, model, optimizer, 1)
    place = save(tmp_path, model, optimizer, 2)
    for path in sorted(place.iterdir()):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :])
        checkpoint, problems = (newest := newest_checkpoint(tmp_path)).checkpoint, newest.problems
        assert checkpoint.state.step == 1 and "is damaged" in problems[0]
        path.write_bytes(whole)
    assert newest_checkpoint(tmp_path).checkpoint.state.step == 2


def test_when_all_are_damaged_it_says_so(fakes, tmp_path):
    model = fakes.Tiny()
    (save(tmp_path, model, trained(model)) / "state.json").unlink()
    with raises_code("checkpoints-all-damaged"):
        newest_checkpoint(tmp_path)
    assert newest_checkpoint(tmp_path / "nothing") == Newest(None)


def forge(place):
    """Seal a folder again, as an attacker can."""
    (place / SEAL).write_text(json.dumps({name: facts_of_file(place / name) for name in list_files(place) if name != SEAL}))


HUGE = 10**30
HOSTILE_STATES = [
    {"step": "1"},
    {"step": True},
    {"step": -1},
    {"step": HUGE},
    {"step": 2},
    {"step": [[[]]]},
    {"seconds": math.inf},
    {"seconds": math.nan},
    {"tokens": 1.5},
    {"steps": "many"},
    {"tokenizer": None},
    {"bits_per_byte": {}},
    {"lr_scale": 0},
    {"optimizer": []},
    {"optimizer": {"0/0": 1}},
    {"optimizer": {"a/b/c": 1}},
    {"optimizer": {"0/0/step": {"deep": 1}}},
    {"optimizer": {"7/0/step": 1}},
    {"optimizer": {"0/99/step": 1}},
    {"groups": None},
    {"groups": [[{"params": [0]}]]},
    {"groups": [[{"lr": [[1]]}]]},
    {"groups": [[{}, {}]]},
    {"groups": []},
    {"groups": {"0": 1}},
]

REFUSED = {"checkpoint-damaged", "checkpoint-mismatch"}


@pytest.mark.parametrize("change", HOSTILE_STATES, ids=str)
def test_hostile_states_are_refused(fakes, tmp_path, change):
    model = fakes.Tiny()
    optimizer = trained(model)
    place = save(tmp_path, model, optimizer)
    raw = json.loads((place / "state.json").read_text())
    (place / "state.json").write_text(json.dumps({**raw, **change}))
    forge(place)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(EngineError) as caught:
        load_checkpoint(tmp_path, 1).restore_optimizers([optimizer])
    assert caught.value.code in REFUSED
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("found", [2, 99, "1", None, 1.5])
def test_a_newer_format_is_refused_with_a_way_out(fakes, tmp_path, found):
    model = fakes.Tiny()
    place = save(tmp_path, model, trained(model))
    (place / "state.json").write_text(json.dumps({"format": found}))
    forge(place)
    with raises_code("format-too-new") as caught:
        load_checkpoint(tmp_path, 1)
    assert caught.value.hint == "pip install --upgrade pentad-core"


def header(facts, tail=b""):
    text = facts if isinstance(facts, bytes) else json.dumps(facts).encode()
    return struct.pack("<Q", len(text)) + text + tail


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 90_000_000) + b"{}",
        header(b"[" * 100_000),
        header({"w": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 8]}}, b"12345678"),
        header({"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, b"1234"),
        header({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 2**60]}}, b"1234"),
        header({"w": {"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 4]}}, b"1234"),
        header({"../../etc/x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"1234"),
        b"PK\x03\x04 a pickle of torch.save",
    ],
    ids=range(11),
)
def test_hostile_tensors_are_refused(fakes, tmp_path, data):
    model = fakes.Tiny()
    optimizer = trained(model)
    place = save(tmp_path, model, optimizer)
    (place / "model.safetensors").write_bytes(data)
    (place / "optimizer.safetensors").write_bytes(data)
    forge(place)
    checkpoint = load_checkpoint(tmp_path, 1)
    for restore in (lambda: checkpoint.restore_model(model), lambda: checkpoint.restore_optimizers([optimizer])):
        with pytest.raises(EngineError) as caught:
            restore()
        assert caught.value.code in REFUSED


def test_a_model_of_another_shape_or_type_is_refused(fakes, tmp_path):
    model = fakes.Tiny()
    save(tmp_path, model, trained(model))
    checkpoint = load_checkpoint(tmp_path, 1)
    others = [fakes.Tiny(width=5), fakes.Tiny(tied=True), fakes.Tiny().double(), fakes.Counting(11)]
    for other in others:
        with raises_code("checkpoint-mismatch") as caught:
            checkpoint.restore_model(other)
        assert "engine.json" in caught.value.hint


def test_an_optimizer_over_other_parameters_is_refused(fakes, tmp_path):
    model = fakes.Tiny()
    save(tmp_path, model, trained(model))
    fewer = torch.optim.AdamW([nn.Parameter(torch.zeros(2))])
    with raises_code("checkpoint-mismatch"):
        load_checkpoint(tmp_path, 1).restore_optimizers([fewer])
    with raises_code("checkpoint-mismatch"):
        load_checkpoint(tmp_path, 1).restore_optimizers([])


def test_names_that_are_no_checkpoints_are_passed_over(tmp_path):
    for name in ("step-1x", "step-", "step--1", ".step-2.part", "step-3.0a.part", "step-" + "9" * 30, "STEP-4", "step-7"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    assert list_checkpoints(tmp_path) == [7]
