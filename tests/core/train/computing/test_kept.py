"""What was found to be the fastest is kept for the machine and the model, and what is damaged is found anew."""

from __future__ import annotations

import pytest

from pentad.config.kernels import Wish
from pentad.system import machine as system
from pentad.train.computing.kept import LOOKS, key_of, note, noted, remembered
from pentad.train.computing.kernels import Kernels


def test_what_was_found_is_kept_for_the_machine_and_the_model(cpu, tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path))
    found = Kernels(precision="bf16", products="highest", model={"attention": "products"}, speed=1.5)
    key, other = key_of(cpu, Wish(), "gpt", 8), key_of(cpu, Wish(), "gpt", 9)
    assert key_of(cpu, Wish(model={"attention": "torch"}), "gpt", 8) != key
    assert remembered(cpu) == []
    for _ in range(LOOKS):
        assert noted(key, 0.3) is None
        assert note(key, found, cpu, 0.3) == found and remembered(cpu) == [found]
    assert noted(key, 0.3) == found and noted(other, 0.3) is None
    assert noted(key, 0.5) == found and noted(key, 3.0) is None  # a longer training can afford to look again
    monkeypatch.setattr(system, "processor_name", lambda: "Another Processor 9000")
    assert remembered(cpu) == [] and key_of(cpu, Wish(), "gpt", 8) != key
    (tmp_path / "kernels" / f"{key}.json").write_text('{"found": [{"precision": "fp8"}]}')
    assert noted(key, 0.3) is None and remembered(cpu) == []
    assert note(key, found, cpu, 0.3) == found


def test_what_was_found_most_often_is_taken_and_of_several_the_newest(cpu, tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path))
    busy = Kernels(precision="bf16", products="highest", speed=1.0)
    first, second = (
        Kernels(precision="bf16", products="highest", model={"attention": "products"}, speed=it) for it in (1.2, 1.6)
    )
    assert note("key", busy, cpu, 0.3) == busy
    assert note("key", first, cpu, 0.3) == first, "the newest of two"
    assert note("key", second, cpu, 0.3).speed == pytest.approx(1.4)
    assert noted("key", 0.3).model == {"attention": "products"}
    note("key", busy, cpu, 3.0)
    assert noted("key", 3.0) is None, "found in a longer time once alone"
    (tmp_path / "file").touch()
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "file" / "below"))
    assert note("key", first, cpu, 0.3) == first and noted("key", 0.3) is None
