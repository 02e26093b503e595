"""torch's compiler on a CPU: what it brings to a training, what it takes of its time, and what is kept of its work.

It joins what stands between the products of a model into loops of C++ that go through memory once. Passes of `gpt` are 1.3 to
1.7 times as fast by it, and compiling takes 20 to 60 s (benchmarks/LOG.md).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pentad.system.cache import CONTENT, from_cache
from pentad.system.errors import EngineError
from pentad.system.files import hold_whole
from pentad.system.opening import remove_at_once

LEAST_SHARE = 0.5
"""Of a budget of time, what is left for training however long compiling takes."""

LEAST_SECONDS, OPERATIONS_A_SECOND = 15.0, 15
"""What compiling takes at the least, and operations that are compiled in each second more, about: gpt with 2 layers has 160 and
took 24 s, with 4 and dropout 340 and 30 s. A loop over positions has some for each, and takes minutes."""

FOLDER = "compiled"
"""In the cache."""

_PLACE = "TORCHINDUCTOR_CACHE_DIR"


@dataclass(frozen=True, kw_only=True)
class Compiling:
    """What compiling was found to do, or is expected to.

    Args:
        faster: how many times as fast a step is by it.
        seconds: what it takes.
    """

    faster: float
    seconds: float

    def left(self, seconds: float) -> float:
        """Return what is left for training of a budget of so many seconds."""
        return max(LEAST_SHARE * seconds, seconds - self.seconds)

    def bought(self, seconds: float) -> float:
        """Return the seconds in which as much would be trained without it as in so many with it, compiling included."""
        return self.left(seconds) * self.faster

    def pays(self, seconds: float) -> bool:
        """Say whether a training of so many seconds wins as much as it spends, and not just a little: it may bring less."""
        return self.bought(seconds) - seconds >= self.seconds

    def most_operations(self, seconds: float) -> int:
        """Return how many operations a model may have whose compiling still pays in a training of so many seconds."""
        longest = seconds * (self.faster - 1) / (self.faster + 1)  # as in `pays`, whatever it takes
        return int(OPERATIONS_A_SECOND * max(longest - LEAST_SECONDS, 0.0))


EXPECTED = Compiling(faster=1.3, seconds=35.0)
"""Before anything was compiled on a machine."""


class TooManyOperationsError(Exception):
    """The model has more operations than are compiled unasked."""


def compiled_forward(model: nn.Module, device: torch.device, *, most_operations: int | None = None) -> Callable[..., Any]:
    """Return what passes through the model as the compiler has it, which compiles at its first call.

    On a CPU inputs of another shape than the first ones pass through the model as it is: compiling for a batch that comes once
    in a pass takes longer than it.

    Args:
        model: any.
        device: where it is.
        most_operations: on a CPU, what it may have; None for any number.

    Raises:
        TooManyOperationsError: at the first call, as the `inner_exception` of the compiler's own error.
    """
    if device.type != "cpu":
        return torch.compile(model)

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        if most_operations is not None and len(graph.graph.nodes) > most_operations:
            raise TooManyOperationsError
        from torch._inductor.compile_fx import compile_fx  # what torch.compile takes by itself

        return compile_fx(graph, inputs)  # type: ignore[return-value]

    compiled, shapes = torch.compile(model, dynamic=False, backend=backend), list[object]()

    def forward(inputs: Tensor, state: Any, segments: Tensor | None) -> Any:
        shape = (inputs.shape, segments is None)
        if not shapes:
            shapes.append(shape)
        return (compiled if shape in shapes else model)(inputs, state, segments)

    return forward


@contextlib.contextmanager
def kept_in_cache(place: Path) -> Iterator[None]:
    """Let what is compiled within be found in an entry of the cache, and be kept there.

    The compiler works in a folder of its own, into which a whole entry is copied: its usual place may be one where others can
    write, and it takes what it finds there for its own, half written or not. Where the user gives it a place, it has that one.

    Args:
        place: where the entry stands; its name is its key.
    """
    if os.environ.get(_PLACE, default := _usual_place()) != default:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="pentad-compiled-", ignore_cleanup_errors=True) as folder:
        found = _copied(place, Path(folder))
        os.environ[_PLACE] = folder
        try:
            with _headers_of_our_own():
                yield
        finally:
            os.environ.pop(_PLACE, None)
        if set(_files(Path(folder))) != found:  # what was there may be of an earlier version of the model
            with contextlib.suppress(EngineError, OSError):  # a full disk, say: then it is compiled again next time
                if found:
                    remove_at_once(place)
                from_cache(place, lambda content: _copy_files(Path(folder), content), lambda held: None)


def _copied(place: Path, folder: Path) -> set[Path]:
    """Copy the files of an entry into a folder and return their names there: none where it is absent or damaged."""
    copied = set[Path]()
    try:
        with hold_whole(place) as held:
            for name in held:
                inside = Path(name).relative_to(CONTENT)
                copied.add(inside)
                target = folder / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(held.open(name), file)
    except (EngineError, OSError):
        for inside in copied:  # the compiler takes half a file for a whole one
            (folder / inside).unlink(missing_ok=True)
        return set()
    return copied


def _files(folder: Path) -> Iterator[Path]:
    """Yield the names of a folder's files that are not empty, as its locks are."""
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size:
            yield path.relative_to(folder)


def _copy_files(source: Path, target: Path) -> None:
    for name in _files(source):
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, copy)


def _usual_place() -> str:
    """Return the compiler's own place, which torch may have put into the environment itself."""
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    return default_cache_dir()


def _headers_of_our_own() -> contextlib.AbstractContextManager[Any]:
    """Have no headers compiled beforehand where others could write to the folder that torch keeps them in."""
    import torch._inductor.config as config
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    allowed = config.cpp_cache_precompile_headers and _only_ours(Path(default_cache_dir()))
    return config.patch(cpp_cache_precompile_headers=allowed)  # type: ignore[no-any-return]


def _only_ours(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(found.st_mode) and not shared and found.st_uid == getattr(os, "getuid", lambda: found.st_uid)()
