"""A saved optimizer state that does not fit is refused before a step is done with it."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pentad import Choice, resume, run
from pentad.runs.fitting import merged, require_fitting, shapes_after_a_step
from pentad.runs.newest import list_checkpoints
from pentad.system.files import SEAL, facts_of_file
from pentad.testing import raises_code


def shapes_of(make, parameters):
    return shapes_after_a_step(lambda copy: [make([copy(each) for each in parameters])])


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda p: torch.optim.AdamW(p, fused=False), {"step", "exp_avg", "exp_avg_sq"}),
        (lambda p: torch.optim.AdamW(p, amsgrad=True), {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"}),
        (lambda p: torch.optim.SGD(p, momentum=0.9), {"momentum_buffer"}),
        (lambda p: torch.optim.Adagrad(p), {"step", "sum"}),
    ],
)
def test_what_an_optimizer_keeps_is_known_without_a_step(make, names):
    parameters = [nn.Parameter(torch.ones(3, 4)), nn.Parameter(torch.ones(5))]
    (shapes,) = shapes_of(make, parameters)
    assert shapes.keys() == {0, 1} and shapes[0].keys() == names
    assert {shape for name, shape in shapes[0].items() if name != "step"} == {(3, 4)}
    assert all(each.grad is None and bool((each == 1).all()) for each in parameters)


def test_an_optimizer_that_needs_numbers_is_judged_by_its_parameters():
    class Counts(torch.optim.SGD):
        def step(self):
            self.param_groups[0]["params"][0].sum().item()

    assert shapes_of(Counts, [nn.Parameter(torch.ones(3))]) is None
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(3, 4))])
    for shape in ((3, 4), (3, 1), (1, 4), (4,), (1,), ()):
        require_fitting(optimizer, {0: {"buffer": torch.zeros(shape), "step": 3}}, None)
    for shape in ((3, 5), (12,), (3, 4, 1), (2,), (0,)):
        with pytest.raises(ValueError, match="buffer of parameter 0 has the shape"):
            require_fitting(optimizer, {0: {"buffer": torch.zeros(shape)}}, None)


def test_a_group_takes_what_is_of_its_kind():
    group = {"lr": 0.1, "betas": (0.9, 0.999), "fused": False, "amsgrad": False, "foreach": None}
    merged(group, {"lr": 1, "betas": [0.8, 0.9], "fused": True, "foreach": True, "k": 7}, dict(group))
    assert group == {"lr": 1, "betas": (0.8, 0.9), "fused": False, "amsgrad": False, "foreach": None, "k": 7}
    merged(group, {"lr": 5}, {**group, "lr": 0.5})
    assert group["lr"] == 1  # the recipe says something else now
    for key, value in (("lr", "1"), ("lr", True), ("betas", [0.9]), ("betas", 0.9), ("amsgrad", 1)):
        with pytest.raises(ValueError, match=key):
            merged(group, {key: value}, dict(group))


def halved(tensor):
    return tensor.flatten()[: max(1, tensor.numel() // 2)].clone()


@pytest.fixture(scope="module", params=["adamw", "muon"])
def trained(request, tmp_path_factory, cache, tiny_recipe):
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "text.txt").write_text("a cat sat. " * 200)
    run(tiny_recipe(folder / "text.txt", steps=2, optimizer=Choice(request.param)), out=folder / "run")
    return folder / "run"


@pytest.mark.parametrize(
    "change",
    [
        lambda name, tensor: halved(tensor),
        lambda name, tensor: tensor.flatten(),
        lambda name, tensor: torch.cat([tensor.flatten()] * 2),
        lambda name, tensor: None if name.startswith("0/0/") else tensor,
        lambda name, tensor: torch.zeros(0),
    ],
    ids=["shorter", "flat", "longer", "missing", "empty"],
)
def test_a_state_of_another_shape_is_refused_though_its_digest_is_right(trained, tmp_path, change):
    path = shutil.copytree(trained, tmp_path / "run")
    place = path / "checkpoints" / f"step-{list_checkpoints(path)[0]}"
    tensors = {name: change(name, tensor) for name, tensor in load_file(place / "optimizer.safetensors").items()}
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    state = json.loads((place / "state.json").read_text())
    if len(kept) < len(tensors):  # one entry of a parameter stays
        kept["0/0/other"] = torch.zeros(1)
    save_file(kept, place / "optimizer.safetensors")
    (place / "state.json").write_text(json.dumps(state))
    names = ("model.safetensors", "optimizer.safetensors", "state.json")
    (place / SEAL).write_text(json.dumps({name: facts_of_file(place / name) for name in names}))
    with raises_code("checkpoint-mismatch"):
        resume(path, steps=4)
