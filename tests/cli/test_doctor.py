from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from pentad.system.machine import machine_name, pick_machine
from pentad.train.computing.kept import note
from pentad.train.computing.kernels import Kernels
from pentad_cli import health

from .conftest import Result

Cli = Callable[..., Result]


def test_every_topic_is_looked_at(cli: Cli) -> None:
    result = cli("doctor")
    assert result.code == 0, result.out
    topics = {line.split()[1] for line in result.out.splitlines() if line.startswith(("  ok", "  warn", "  fail"))}
    assert {
        "python",
        "torch",
        "threads",
        "device",
        "precision",
        "kernels",
        "compiler",
        "disk",
        "cache",
        "stages",
        "plugins",
    } <= topics


def test_json(cli: Cli) -> None:
    facts = json.loads(cli("doctor", "--json").out)
    assert facts["healthy"] is True
    assert {"topic", "state", "what", "hint"} == set(facts["findings"][0])


def test_a_cache_that_cannot_be_written_is_a_finding(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "file"))
    result = cli("doctor")
    assert result.code == 1
    (line,) = [line for line in result.out.splitlines() if line.split()[:2] == ["fail", "cache"]]
    assert "The cache" in line


def test_a_look_that_raises_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> health.Finding:
        raise RuntimeError("no")

    monkeypatch.setattr(health, "_torch", fail)
    (torch,) = [finding for finding in health.findings() if finding.topic == "torch"]
    assert (torch.state, torch.what) == ("fail", "RuntimeError: no")


def test_spinning_threads_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    (threads,) = [finding for finding in health.findings() if finding.topic == "threads"]
    assert threads.state == "warn"
    assert "OMP_WAIT_POLICY" in threads.hint


def test_what_is_remembered_of_this_machine_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path))
    machine = pick_machine("auto", "auto", None)
    assert "not measured yet" in health._kernels().what
    note("key", Kernels(precision="fp32", products="medium", model={"attention": "products"}, speed=1.5), machine, 1.0)
    found = health._kernels()
    assert found.state == "ok" and machine_name(machine) in found.what
    assert all(words in found.what for words in ("fp32", "attention by products", "1.5 times"))
