"""How many runs fit on a cluster, and whether their clocks measure each other; no Ray is started."""

from __future__ import annotations

import pytest

from pentad.testing import raises_code
from pentad_ray import cluster
from pentad_ray.cluster import Node, Share, pick_share
from pentad_ray.executor import Ray
from pentad_ray.options import RayOptions


def node(cpus, gpus=0, host="a"):
    return Node(host=host, cpus=cpus, gpus=gpus)


@pytest.mark.parametrize(
    ("share", "cpus", "gpus", "fits"),
    [
        ((1, 0), 8, 0, 8),
        ((3, 0), 8, 0, 2),
        ((9, 0), 8, 0, 0),
        ((1, 1), 8, 2, 2),
        ((4, 1), 4, 2, 1),
        ((1, 0.5), 8, 2, 4),
        ((1, 0.3), 8, 1, 3),
        ((1, 2), 8, 3, 1),
        ((1, 1), 8, 0, 0),
    ],
)
def test_what_fits_on_a_node(share, cpus, gpus, fits):
    assert Share(cpus=share[0], gpus=share[1]).fits(node(cpus, gpus)) == fits


@pytest.mark.parametrize(
    ("cpus", "gpus", "jobs", "nodes", "share"),
    [
        (None, None, None, [node(8)], (1, 0)),
        (None, None, 2, [node(8)], (4, 0)),
        (None, None, 3, [node(8), node(8, host="b")], (4, 0)),
        (None, None, 2, [node(8), node(4, host="b")], (4, 0)),
        (None, None, 99, [node(8)], (1, 0)),
        (2, None, 99, [node(8)], (2, 0)),
        (None, None, None, [node(8), node(8, 4)], (1, 1)),
        (None, 0.0, None, [node(8, 4)], (1, 0)),
        (None, None, 1, [node(0), node(16, 1)], (16, 1)),
    ],
)
def test_what_a_run_reserves(cpus, gpus, jobs, nodes, share):
    assert pick_share(cpus, gpus, jobs, nodes) == Share(cpus=share[0], gpus=share[1])


@pytest.mark.parametrize(("cpus", "gpus"), [(17, None), (None, 1.0), (1, 3.0)])
def test_a_run_that_fits_nowhere_is_refused(cpus, gpus):
    with raises_code("cluster-too-small") as caught:
        pick_share(cpus, gpus, None, [node(16), node(4)])
    assert "--executor.num-cpus" in caught.value.hint
    with raises_code("cluster-too-small"):
        pick_share(None, None, 2, [])


@pytest.mark.parametrize(
    ("options", "jobs", "nodes", "expected"),
    [
        ({}, None, [node(8)], (8, True)),
        ({}, 1, [node(8)], (1, False)),
        ({}, 2, [node(8)], (2, True)),
        ({}, 2, [node(8), node(8, host="b")], (2, False)),
        ({}, 2, [node(8), node(8)], (2, True)),
        ({"num_cpus": 4}, 2, [node(8), node(8, host="b")], (2, True)),
        ({"num_cpus": 5}, None, [node(8), node(8, host="b")], (2, False)),
        ({}, None, [node(8, 4)], (4, False)),
        ({"num_gpus": 0.5}, None, [node(8, 1)], (2, True)),
        ({"num_gpus": 0.5}, 1, [node(8, 1)], (1, False)),
    ],
)
def test_clocks_are_apart_where_each_run_has_a_gpu_or_a_machine(monkeypatch, options, jobs, nodes, expected):
    monkeypatch.setattr("pentad_ray.executor.connect", lambda address: None)
    monkeypatch.setattr("pentad_ray.executor.nodes", lambda: nodes)
    executor = Ray(RayOptions(**options), jobs=jobs)
    assert (executor.concurrency, executor.shares_devices) == expected


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "127.0.0.1:word", "nonsense"])
def test_a_cluster_that_is_not_there_is_an_error_with_a_way_out(monkeypatch, address):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with raises_code("cluster-unreachable") as caught:
        cluster.connect(address)
    assert address in caught.value.message
    assert "\n" not in caught.value.message + caught.value.hint
    assert ("10001" if address.startswith("ray://") else "ray start --head") in caught.value.hint
