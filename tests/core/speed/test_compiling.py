"""torch's compiler on a CPU: when it pays, for which inputs it is there, and where it keeps what it made."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._inductor import compile_fx
from torch._inductor.runtime import cache_dir_utils

from pentad.speed.compiling import (
    EXPECTED,
    LEAST_SECONDS,
    OPERATIONS_A_SECOND,
    Compiling,
    TooManyOperationsError,
    compiled_forward,
    kept_in_cache,
)

CPU = torch.device("cpu")


def test_it_pays_where_it_wins_what_it_costs():
    assert EXPECTED.pays(300) and not EXPECTED.pays(240)
    slow, useless = Compiling(faster=1.3, seconds=200), Compiling(faster=1.0, seconds=1)
    assert not slow.pays(1_000) and slow.pays(2_000) and not useless.pays(1e6)


@given(faster=st.floats(1.0, 3.0), took=st.floats(0, 100), seconds=st.floats(1, 1e5), more=st.floats(1, 10))
def test_more_time_buys_more_and_half_of_it_is_always_left(faster, took, seconds, more):
    compiling = Compiling(faster=faster, seconds=took)
    assert compiling.left(seconds) >= seconds / 2
    assert compiling.bought(seconds * more) >= compiling.bought(seconds)
    operations = compiling.most_operations(seconds)
    assert operations <= compiling.most_operations(seconds * more)
    assert Compiling(faster=faster, seconds=LEAST_SECONDS + operations / OPERATIONS_A_SECOND).pays(seconds) or operations == 0
    if compiling.pays(seconds):
        assert compiling.bought(seconds) >= seconds and compiling.pays(seconds * more)


class Doubling(torch.nn.Module):
    """Notes which inputs pass through it as it is, and not as it is compiled."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, inputs, state, segments):
        if not torch.compiler.is_compiling():
            self.seen.append((tuple(inputs.shape), segments is None))
        return inputs * 2


@pytest.fixture
def compiled(monkeypatch):
    """What the compiler got, which makes no C++ here."""
    graphs = []
    monkeypatch.setattr(compile_fx, "compile_fx", lambda graph, inputs: graphs.append(graph) or graph.forward)
    torch._dynamo.reset()
    return graphs


def test_inputs_of_another_shape_than_the_first_are_not_compiled(compiled):
    model = Doubling()
    forward, segments = compiled_forward(model, CPU), torch.zeros(2, 3)
    for inputs, of in ((2, None), (2, None), (3, None), (2, segments), (2, None)):
        assert torch.equal(forward(torch.ones(inputs, 3), None, of), torch.full((inputs, 3), 2.0))
    assert len(compiled) == 1 and model.seen == [((3, 3), True), ((2, 3), False)]


def work(name: str, content: bytes = b"code") -> list[str]:
    """Write a file where the compiler would, and return what was found there."""
    folder = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    (folder / "a.lock").touch()
    return found


def test_what_was_compiled_is_kept_whole_and_found_again(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    place, places = tmp_path / "cache" / "compiled" / "key", []
    for expected in ([], ["ab/kernel.so"]):
        with kept_in_cache(place):
            places.append(os.environ["TORCHINDUCTOR_CACHE_DIR"])
            assert work("ab/kernel.so") == expected
            assert Path(places[-1]).stat().st_mode & 0o077 == 0, "nobody else writes there"
        assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ and not Path(places[-1]).exists()
    assert places[0] != places[1]
    (kernel,) = place.rglob("kernel.so")
    kernel.write_bytes(b"cod")  # as a full disk leaves it
    with kept_in_cache(place):
        assert work("ab/kernel.so") == []
    with kept_in_cache(place):
        assert work("ab/kernel.so") == ["ab/kernel.so"]
    with pytest.raises(RuntimeError), kept_in_cache(tmp_path / "failed"):
        work("half.so")
        raise RuntimeError
    assert not (tmp_path / "failed").exists()


def test_what_was_kept_of_another_model_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    place = tmp_path / "compiled" / "key"
    for name, expected in (("old.so", []), ("new.so", ["old.so"]), ("new.so", ["new.so", "old.so"])):
        with kept_in_cache(place):
            assert work(name) == expected


def test_half_a_copy_is_none(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    with kept_in_cache(tmp_path / "key"):
        work("a.so")
        work("b.so")
    real = shutil.copyfileobj

    def full(source, target):
        target.write(b"half")
        if Path(target.name).name == "b.so":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with kept_in_cache(tmp_path / "key"):
        assert work("c.so") == []
    monkeypatch.setattr(shutil, "copyfileobj", real)
    with kept_in_cache(tmp_path / "key"):
        assert work("c.so") == ["a.so", "b.so"]


def test_the_compilers_own_place_is_no_wish(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_dir_utils, "default_cache_dir", lambda: str(tmp_path / "usual"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "usual"))  # as torch does when something compiled before
    with kept_in_cache(tmp_path / "key"):
        work("a.so")
    assert (tmp_path / "key").exists() and not (tmp_path / "usual" / "a.so").exists()


def test_a_place_that_the_user_gives_is_the_compilers(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "own"))
    with kept_in_cache(tmp_path / "key"):
        assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "own")
    assert not (tmp_path / "key").exists()


def test_headers_of_others_are_not_taken(tmp_path, monkeypatch):
    import torch._inductor.config as config

    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    monkeypatch.setattr(cache_dir_utils, "default_cache_dir", lambda: str(tmp_path / "headers"))
    before = config.cpp_cache_precompile_headers
    with kept_in_cache(tmp_path / "key"):
        assert config.cpp_cache_precompile_headers == before
    (tmp_path / "headers").chmod(0o777)
    with kept_in_cache(tmp_path / "key"):
        assert not config.cpp_cache_precompile_headers
    assert config.cpp_cache_precompile_headers == before


def test_a_model_of_too_many_operations_is_not_compiled(compiled):
    class Loop(torch.nn.Module):
        def forward(self, inputs, state, segments):
            for _ in range(50):
                inputs = inputs.sin()
            return inputs

    with pytest.raises(Exception) as caught:
        compiled_forward(Loop(), CPU, most_operations=50)(torch.ones(2), None, None)
    assert isinstance(caught.value.inner_exception, TooManyOperationsError) and not compiled
    torch._dynamo.reset()
    compiled_forward(Loop(), CPU, most_operations=60)(torch.ones(2), None, None)
    assert len(compiled) == 1
