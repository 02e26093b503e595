"""torch's compiler, imported when something compiles and not with the first optimizer: 1.5 s of CPU at the start of each run.

`torch.optim.Optimizer` imports `torch._dynamo` only to say that its methods are not to be compiled: `add_param_group` and
`zero_grad` ask for `torch._dynamo.disable` at their first call (through `torch._compile`), and `step` calls
`torch._dynamo.graph_break()`, which does nothing outside a compilation. A process that compiles nothing pays 1.4 to 1.9 s and
100 MB for that (torch 2.13), and there is no option against it.

So a stand-in takes the module's name. It answers these two requests of these two modules of torch and nothing else. For
everybody else, and for every other attribute or submodule, it steps aside, forgets what it answered, and the import takes
place as it would have: `torch.compile`, DistributedDataParallel or checkpointing find the real module. Where a torch asks for
something else than is described here, that is what happens at the first optimizer, as without the stand-in.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import weakref
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType
from typing import Any

_NAME = "torch._dynamo"

_ASKING = {"disable": "torch._compile", "graph_break": "torch.optim.optimizer"}
"""What the stand-in answers, and the module of torch that it answers."""


def defer_dynamo() -> None:
    """Let `torch._dynamo` be imported by whoever first uses more of it than an optimizer, unless it is imported already."""
    import torch

    if _NAME in sys.modules or "_dynamo" in vars(torch):
        return
    spec = importlib.util.find_spec(_NAME)
    if spec is None:
        return
    stand_in = _StandIn(spec)
    sys.modules[_NAME] = stand_in
    vars(torch)["_dynamo"] = stand_in
    sys.meta_path.insert(0, _Submodules(stand_in))


class _StandIn(ModuleType):
    """Has the name of `torch._dynamo` until somebody uses it; whoever still holds it then gets at the real one through it."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        # What looks through all modules (inspect, say) reads these, which shall not import anything.
        vars(self).update(__spec__=spec, __loader__=spec.loader, __file__=spec.origin, __package__=_NAME)
        vars(self)["__path__"] = spec.submodule_search_locations
        vars(self)["_answered"] = list[weakref.ref[FunctionType]]()

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(_NAME) is self:
            if name.startswith("__") and name != "__all__":
                raise AttributeError(f"module {_NAME!r} has no attribute {name!r}")
            if name in _ASKING and sys._getframe(1).f_globals.get("__name__") == _ASKING[name]:
                return _break_no_graph if name == "graph_break" else self._disable
        return getattr(_real(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_real(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_real(self), name)

    def __dir__(self) -> list[str]:
        return dir(_real(self))

    def _disable(self, function: Callable[..., Any], recursive: bool = True, **rest: Any) -> Callable[..., Any]:
        """Return the function itself, which torch keeps as an attribute of it; `_forget` lets torch ask again."""
        if rest != {"wrapping": False} or not isinstance(function, FunctionType):
            disabled: Callable[..., Any] = _real(self).disable(function, recursive, **rest)
            return disabled
        self._answered.append(weakref.ref(function))
        return function

    def _forget(self) -> None:
        for function in filter(None, (reference() for reference in self._answered)):
            for name in [name for name, value in vars(function).items() if value is function]:
                delattr(function, name)


def _break_no_graph() -> None:
    """Stand for `graph_break` where there is no graph."""


def _real(stand_in: _StandIn) -> ModuleType:
    """Take the stand-in out and return the real module."""
    import torch

    if sys.modules.get(_NAME) is stand_in:
        stand_in._forget()
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Submodules)]
        del sys.modules[_NAME]
        if vars(torch).get("_dynamo") is stand_in:
            del vars(torch)["_dynamo"]
    return importlib.import_module(_NAME)


class _Submodules(MetaPathFinder):
    """Has `import torch._dynamo.config` import the real package first, which may have imported that submodule already."""

    def __init__(self, stand_in: _StandIn) -> None:
        self._stand_in = stand_in

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith(f"{_NAME}."):
            return None
        _real(self._stand_in)
        if name in sys.modules:
            return _as_it_is(sys.modules[name])
        # The finder behind this one would be passed over, now that this one is no longer in the list that is gone through.
        return PathFinder.find_spec(name, path, target)


def _as_it_is(module: ModuleType) -> ModuleSpec:
    """Return a spec by which the import system takes a module that was imported while it looked for it.

    It would go by the module's own spec, and load it once more; so that one is put back when this one was taken.
    """
    spec = ModuleSpec(module.__name__, _Imported(module))
    vars(module)["__spec__"] = spec
    return spec


class _Imported(Loader):
    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__spec__"] = self._spec
