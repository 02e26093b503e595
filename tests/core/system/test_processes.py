"""Two processes are one run: the same weights, one writer. They get what torchrun gives, which the gallery's test starts."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import socket
import sys
import textwrap
import tomllib
from collections import Counter

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pentad import Choice, open_run, resume, run
from pentad.config.tables import TrainingOptions
from pentad.contracts.batch import Tokens
from pentad.inference.net import ModelNet
from pentad.system.json_lines import read_lines
from pentad.system.processes import World, is_first_process
from pentad.train.trainer import Trainer

SCRIPT = textwrap.dedent("""
    import json, os, shutil, sys, time
    import numpy as np, torch
    import torch.distributed as dist
    from pentad import Recipe, open_run, plan, resume, run
    from pentad.system.processes import join_world
    from pentad.config.recipe import Recipe
    from pentad.contracts.batch import Tokens
    from pentad.contracts.evaluator import HeldOut
    from pentad.speed import batches

    batches.physical_cores = lambda: 8  # so that batches are built ahead, however many there are
    folder, tables = sys.argv[1], json.loads(sys.argv[2])
    rank = int(os.environ["RANK"])
    written = []
    sys.addaudithook(lambda event, args: written.append(str(args[0])) if event == "open" and "w" in str(args[1]) else None)

    class Stop(__import__("pentad").RunObserver):
        def on_step(self, event):
            if event.step == 4:
                os.kill(os.getpid(), 15)

    def slowly(handle, sync=os.fsync):
        time.sleep(0.2)
        sync(handle)

    import pentad.inference.scoring as scoring
    scored, cut_windows = [], scoring._windows
    scoring._windows = lambda tokens, starts, *more: scored.extend(starts.tolist()) or cut_windows(tokens, starts, *more)
    whole = run(Recipe.from_dict(tables), out=folder + "/two")
    windows = list(scored)
    if rank == 0:
        os.fsync = slowly  # the other process, which writes nothing, must not run ahead of the checkpoint
    try:
        run(Recipe.from_dict(tables), out=folder + "/cut", observers=[Stop()])  # only the first process is told
    except Exception as error:
        stopped = type(error).__name__
    resume(folder + "/cut")
    own = [path for path in written if path.startswith((folder + "/two", folder + "/cut"))]

    tables["training"].update(steps="none", budget="1s")
    timed = run(Recipe.from_dict(tables), out=folder + "/timed")
    pace = plan(Recipe.from_dict(tables)).seconds_per_step

    # A file system that shows an older state to one of them.
    shutil.copytree(folder + "/cut", f"{folder}/seen{rank}")
    if rank == 1:
        shutil.rmtree(f"{folder}/seen1/checkpoints/step-8")
    try:
        resume(f"{folder}/seen{rank}", steps=12)
    except Exception as error:
        apart = error.message.split("; ")[-1]

    world = join_world(torch.device("cpu"))
    nothing = Tokens(ids=np.zeros(1, np.uint16), starts=np.array([0]))
    text = HeldOut(tokens=nothing, n_bytes=1, context_length=1, world=world)
    parts = [text.score_parts(n, lambda index: (index, 0.1 + index / 3)).tolist() for n in (5, 1, 0)]
    first = world.of_first("first läuft" if rank == 0 else "another, and longer")
    facts = {"first": first, "step": whole.step, "bits": whole.bits_per_byte, "own": len(own), "stopped": stopped,
             "timed": timed.step, "apart": apart, "mean": world.mean(rank), "pace": pace, "windows": windows, "parts": parts}
    with open(f"{folder}/rank{rank}.json", "w") as file:
        json.dump(facts, file)
""")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    return path


@pytest.fixture(scope="module")
def recipe(tiny_recipe, text):
    model = Choice("gpt", n_layer=1, n_head=2, n_embd=8)
    training = {"gradient_accumulation": 2, "batch_size": 6}
    return tiny_recipe(text, model=model, training=training)


def _rank(rank, group, folder, tables):
    """Be one of the processes."""
    os.environ.update(group, RANK=str(rank), LOCAL_RANK=str(rank))
    with (folder / f"said{rank}").open("w") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    sys.argv = ["script", str(folder), json.dumps(tables)]
    exec(compile(SCRIPT, "script", "exec"), {"__name__": "script"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory, cache, recipe):
    """Run the script in two processes, and the same recipe in this one."""
    folder = tmp_path_factory.mktemp("runs")
    tables = tomllib.loads(recipe.to_toml())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    context = multiprocessing.get_context("fork")
    ranks = [context.Process(target=_rank, args=(rank, group, folder, tables)) for rank in range(2)]
    for process in ranks:
        process.start()
    try:
        for process in ranks:
            process.join(240)
            assert process.exitcode == 0, "\n".join(path.read_text()[-4000:] for path in folder.glob("said*"))
    finally:
        for process in ranks:
            process.kill()  # processes that wait for each other would outlive the test
    run(recipe, out=folder / "one")
    return folder


def facts(folder, rank):
    return json.loads((folder / f"rank{rank}.json").read_text())


def weights(run):
    return load_file(run / "checkpoints/step-8/model.safetensors")


def test_two_processes_give_the_weights_of_one(folder):
    one, two = weights(folder / "one"), weights(folder / "two")
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-5)
    left, right = (open_run(folder / name).evaluate().bits_per_byte for name in ("one", "two"))
    assert right == pytest.approx(left, rel=1e-4) and facts(folder, 0)["bits"] == pytest.approx(right, rel=1e-6)
    lines = [read_lines(folder / name / "metrics.jsonl") for name in ("one", "two")]
    assert len(lines[0]) == len(lines[1])
    for first, second in zip(*(part[:-1] for part in lines), strict=True):
        assert (first["kind"], first["step"], first["tokens"]) == (second["kind"], second["step"], second["tokens"])
        assert first["loss"] == pytest.approx(second["loss"], rel=1e-4)


def test_one_signal_stops_both_and_resume_is_exact(folder):
    assert [facts(folder, rank)["stopped"] for rank in (0, 1)] == ["Interrupted"] * 2
    whole, cut = weights(folder / "two"), weights(folder / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_a_run_of_two_processes_is_resumed_by_one_with_the_same_losses(folder, tmp_path):
    shutil.copytree(folder / "cut", tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut/checkpoints/step-8")
    resume(tmp_path / "cut")
    alone, two = weights(tmp_path / "cut"), weights(folder / "two")
    for name in two:
        torch.testing.assert_close(alone[name], two[name], rtol=1e-3, atol=1e-5)
    losses = [
        [line["loss"] for line in read_lines(run / "metrics.jsonl") if line.get("kind") == "step"]
        for run in (tmp_path / "cut", folder / "two")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4) and len(losses[0]) > 1


def test_processes_that_find_different_checkpoints_say_so(folder):
    assert [facts(folder, rank)["apart"] for rank in (0, 1)] == ["this one found step 8.", "this one found step 5."]


def test_all_go_by_the_first_ones_text(folder):
    assert [facts(folder, rank)["first"] for rank in (0, 1)] == ["first läuft"] * 2


def test_torch_has_nothing_to_warn_of(folder):
    assert "FutureWarning" not in "".join(path.read_text() for path in folder.glob("said*"))


def test_only_the_first_process_writes_and_all_judge(folder):
    assert facts(folder, 0)["own"] > 5 and facts(folder, 1)["own"] == 0
    assert facts(folder, 1)["step"] == 8 and facts(folder, 1)["bits"] == facts(folder, 0)["bits"]


def test_each_scores_its_share_of_the_held_out_text_and_the_score_is_that_of_one(folder):
    alone = open_run(folder / "two").evaluate()
    assert facts(folder, 0)["bits"] == facts(folder, 1)["bits"] == alone.bits_per_byte, "bit for bit"
    mine, other = (Counter(facts(folder, rank)["windows"]) for rank in (0, 1))
    assert not mine.keys() & other.keys() and abs(len(mine) - len(other)) <= 1
    judged = Counter(line["kind"] for line in read_lines(folder / "two" / "metrics.jsonl"))["evaluation"]
    assert set((mine + other).values()) == {judged} and judged > 1
    starts = sorted(mine.keys() | other.keys())
    assert starts == list(range(0, alone.n_tokens + 60, 16))[: len(starts)] and len(starts) * 16 >= alone.n_tokens


def test_parts_that_were_shared_are_the_parts_of_one(folder):
    """Also where a process has none, and where there are none at all."""
    for rank in (0, 1):
        five, one, none = facts(folder, rank)["parts"]
        assert five == [[index, 0.1 + index / 3] for index in range(5)]
        assert one == [[0, 0.1]] and none == []


def test_a_time_budget_ends_at_the_same_step_everywhere(folder):
    assert facts(folder, 0)["timed"] == facts(folder, 1)["timed"] > 1


def test_an_estimate_is_the_same_everywhere(folder):
    """Each process measures its own seconds, no two the same; from them follow steps and whether to compile."""
    assert facts(folder, 0)["pace"] == facts(folder, 1)["pace"] > 0


def test_means_over_processes(folder):
    for rank in (0, 1):
        assert facts(folder, rank)["mean"] == 0.5


def test_every_example_falls_to_one_process(fakes, cpu):
    options = TrainingOptions(batch_size=7, gradient_accumulation=3)
    builder, model = fakes.Given(np.zeros((4, 3))), fakes.Tiny()
    net, tokens = ModelNet(model, cpu), Tokens(ids=np.zeros(4, np.uint16), starts=np.array([0]))
    for size in (1, 2, 3, 9):
        shares = [
            Trainer(net, fakes.sgd(model), builder, tokens, options, World(rank, size))._micro_batches(5)
            for rank in range(size)
        ]
        seen = np.concatenate([rows for share in shares for rows in share])
        assert sorted(seen.tolist()) == list(range(35, 42))
        assert all(len(share) == 1 or all(map(len, share)) for share in shares)  # who has none takes part with an empty one


def test_alone_nothing_is_exchanged(monkeypatch):
    world = World()
    world.wait()
    assert world.mean(3.5) == 3.5 and world.is_first
    assert is_first_process()
    monkeypatch.setenv("RANK", "1")
    assert not is_first_process()
