"""Tasks over a Ray cluster of two nodes on this machine, some of which are lost on the way."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pentad import Catalogue, Task, TaskExecutor, TaskFailure, run
from pentad.runs.folder import RunDirectory
from pentad.testing import raises_code
from pentad_ray.executor import Ray
from pentad_ray.options import RayOptions

pytest.importorskip("ray")

HERE = Path(__file__).parent
LIMIT = 120


def until(condition, what=""):
    deadline = time.monotonic() + LIMIT
    while not (found := condition()):
        assert time.monotonic() < deadline, what or condition
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes: three tasks at once, two when the second node is lost."""
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
        small = {"object_store_memory": 80 << 20, "include_dashboard": False}
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, **small})
        made.add_node(num_cpus=1, wait=False, **small)
        try:
            made.wait_for_nodes()
            yield made
        finally:
            ray.shutdown()
            made.shutdown()


@pytest.fixture
def executor(cluster):
    return Ray(RayOptions(address=cluster.address, max_retries=1))


@pytest.fixture
def task(tmp_path):
    def make(work, name, **argument):
        argument = {"mine": str(tmp_path / f"{name}-mine"), **argument}
        return Task(name=name, work=f"ray_work:{work}", argument=argument, folder=tmp_path / "tasks" / name)

    return make


@pytest.fixture
def elsewhere(monkeypatch):
    """Workers whose disk is not this machine's: no folder has the marker that they look for."""
    monkeypatch.setattr("pentad_ray.remote_task.RemoteTask._mark", lambda remote: None)


def codes(results):
    """Return the code of each result's failure, empty where the task is done."""
    return [result.failure.code if result.failure else "" for result in results]


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def processes():
    """Return pid -> (parent, files that it has open) of the processes of tasks."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"pentad_ray.child" in (place / "cmdline").read_bytes():
                found[int(place.name)] = (parent_of(place.name), {os.readlink(each) for each in (place / "fd").iterdir()})
    return found


def kill_worker(pid, alone=False):
    """Kill the worker that looks after a task's process, and the process too, as when their machine is gone."""
    parent, _ = processes()[pid]
    os.kill(parent, signal.SIGKILL)
    if alone:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_tasks_run_side_by_side_and_failures_cost_only_themselves(executor, task, tmp_path):
    assert isinstance(executor, TaskExecutor)
    assert (executor.concurrency, executor.shares_devices, executor.threads) == (3, True, 1)
    one = task("meet", "one", other=str(tmp_path / "two-mine"))
    two = task("meet", "two", other=str(tmp_path / "one-mine"))
    tasks = [one, two, task("refuse", "a"), task("crash", "b"), task("die", "c"), task("note", "d")]
    results = {result.task.name: result for result in executor.run_tasks(tasks)}
    expected = {"one": "", "two": "", "a": "too-little", "b": "task-crashed", "c": "task-killed", "d": ""}
    assert dict(zip(results, codes(results.values()), strict=True)) == expected
    assert results["a"].failure == TaskFailure("It expected more, found less.", "Give it more.", "too-little")
    assert str(tasks[3].folder / "log.txt") in results["b"].failure.hint
    said = json.loads((tasks[5].folder / "deep" / "said.json").read_text())
    assert (said["folder"], said["CUDA_VISIBLE_DEVICES"]) == (str(tasks[5].folder), "")
    assert "something for the log" in (tasks[5].folder / "log.txt").read_text()
    assert not [path for each in tasks for path in each.folder.glob(".ray-*") if path.name != ".ray-lock"]


def test_a_folder_that_is_not_shared_travels_there_and_back(executor, task, elsewhere):
    first = task("note", "a")
    first.folder.mkdir(parents=True)
    (first.folder / "given").write_text("by the driver")
    assert codes(executor.run_tasks([first])) == [""]
    said = json.loads((first.folder / "deep" / "said.json").read_text())
    assert said["folder"] != str(first.folder)
    assert "given" in said["found"]
    assert not Path(said["folder"]).exists()
    assert (first.folder / "given").read_text() == "by the driver"
    assert (first.folder / "empty").read_bytes() == b""
    assert (first.folder / "large").read_bytes() == bytes(range(256)) * 40_000
    assert [path.name for path in first.folder.parent.iterdir()] == ["a"]
    # What failed comes back too, and what was there before goes with the next.
    (failed,) = executor.run_tasks([task("crash", "a")])
    assert failed.failure.code == "task-crashed" and str(first.folder / "log.txt") in failed.failure.hint
    assert "ZeroDivisionError" in (first.folder / "log.txt").read_text()
    assert (first.folder / "deep" / "said.json").exists()


@pytest.mark.parametrize("shared", [True, False])
def test_a_task_whose_worker_is_lost_goes_on_where_it_was(executor, task, shared, request):
    if not shared:
        request.getfixturevalue("elsewhere")
    one = task("twice", "a")
    iteration = executor.run_tasks([one])
    mine = Path(one.argument["mine"])

    def disturb():
        kill_worker(int(until(lambda: mine.exists() and mine.read_text())), alone=shared)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    assert codes(iteration) == [""]
    disturber.join()
    assert (one.folder / "begun").exists()
    assert "Started again" in (one.folder / "log.txt").read_text()


@pytest.mark.parametrize("shared", [True, False])
def test_who_leaves_early_waits_until_the_tasks_have_saved(executor, task, shared, request):
    if not shared:
        request.getfixturevalue("elsewhere")
    first, second, third = task("note", "a"), task("until_stopped", "b"), task("until_stopped", "c")
    iteration = executor.run_tasks([first, second, third])
    assert next(iteration).task == first
    until(Path(second.argument["mine"]).exists)
    iteration.close()
    assert (second.folder / "saved").exists()
    assert not processes()


def finished_steps(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "timing"} for line in lines]


def test_a_comparison_ends_though_a_worker_and_a_node_are_lost(cluster, tmp_path, monkeypatch, request):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    (tmp_path / "plugin").mkdir()
    plugin = shutil.copy(HERE / "slow_builder.py", tmp_path / "plugin" / "time_to_kill.py")
    (tmp_path / "text.txt").write_text("".join(f"{number} squared is {number * number}.\n" for number in range(600)))
    (tmp_path / "log.toml").write_text("[reporting]\nlog_every = 1\n")
    flags = (
        "--data text.txt --tokenizer byte --builder slow --model gpt --model.n-layer 1 --model.n-head 2 --model.n-embd 32 "
        "--optimizer adamw --steps 60 --batch-size 4 --context-length 16 --seeds 3 --prompts 0 --checkpoint-seconds 0.2 "
        f"--config log.toml --out out --executor ray --executor.address {cluster.address} --plugin {plugin}"
    )
    command = [sys.executable, "-m", "pentad_cli", "compare", *flags.split()]
    compare = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    request.addfinalizer(compare.kill)

    head, other = cluster.head_node, *cluster.worker_nodes

    def at_work_on(node):
        """Return the process and the folder of a run that has a checkpoint and is not at its end."""
        assert compare.poll() is None, compare.communicate()[0]
        raylet = node.all_processes["raylet"][0].process.pid
        for pid, (worker, files) in processes().items():
            for folder in {Path(name).parent for name in files if name.endswith("log.txt")}:
                if parent_of(worker) == raylet and list(folder.glob("run/checkpoints/*/digest.json")):
                    return pid, folder
        return None

    pid, first = until(lambda: at_work_on(head))
    kill_worker(pid)
    _, second = until(lambda: at_work_on(other))
    cluster.remove_node(other, allow_graceful=False)
    said = compare.communicate(timeout=LIMIT)[0]
    print(said)
    assert compare.returncode == 0, said
    assert "raylet" not in said
    (report,) = (tmp_path / "out").glob("*/comparison.json")
    seeds = [seed for arm in json.loads(report.read_text())["arms"] for seed in arm["seeds"]]
    assert [(seed["failure"], seed["steps"]) for seed in seeds] == [("", 60)] * 3
    for folder in (first, second):
        assert "Started again" in (folder / "log.txt").read_text()
    undisturbed = tmp_path / "undisturbed"
    monkeypatch.chdir(tmp_path)
    recipe = RunDirectory.open(first / "run").recipe()
    run(recipe, catalogue=Catalogue(plugin_files=[plugin]), out=undisturbed)
    assert finished_steps(first / "run") == finished_steps(undisturbed)
    weights = [next(folder.glob("checkpoints/*/model.safetensors")).read_bytes() for folder in (first / "run", undisturbed)]
    assert weights[0] == weights[1]


def test_a_cluster_that_is_not_there_is_an_error_with_a_way_out(monkeypatch):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with raises_code("cluster-unreachable"):
        Ray(RayOptions(address="127.0.0.1:9"))
