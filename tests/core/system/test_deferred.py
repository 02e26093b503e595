"""The stand-in for torch's compiler: what it answers, for whom it steps aside, and that nothing of it is left then.

Each probe needs a process in which the compiler was never imported, so this file, called as a program, imports torch and does
each of them in a fork.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import subprocess
import sys
import threading
import traceback

import pytest
import torch

from pentad.system.deferred import defer_dynamo

NAME = "torch._dynamo"


def is_imported():
    return f"{NAME}.eval_frame" in sys.modules


def one_step(optimizer_class=torch.optim.SGD):
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = optimizer_class([parameter], lr=0.5)
    parameter.square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    return parameter


def what_torch_caches():
    """Return what `torch._compile` has kept of `disable`, for a method that every optimizer calls."""
    return vars(torch.optim.Optimizer.zero_grad.__wrapped__).get("__dynamo_disable")


def optimizers_import_nothing():
    defer_dynamo()
    for optimizer_class in (torch.optim.SGD, torch.optim.AdamW, torch.optim.Adam, torch.optim.RMSprop):
        assert one_step(optimizer_class).grad is None
    assert one_step().tolist() == [0.0, 0.0]
    assert not is_imported()


def who_looks_at_all_modules_imports_nothing():
    defer_dynamo()
    assert inspect.getmodule(inspect.currentframe()) is sys.modules["__main__"]
    assert not [name for name, module in list(sys.modules.items()) if hasattr(module, "__warningregistry__") and name == NAME]
    assert importlib.util.find_spec(NAME).name == NAME
    standing = sys.modules[NAME]
    defer_dynamo()
    assert sys.modules[NAME] is standing
    assert not is_imported()


def a_submodule_is_imported_once_and_by_all_the_same():
    defer_dynamo()
    held = sys.modules[NAME]
    one_step()
    before = what_torch_caches()
    import torch._dynamo.config as config

    assert is_imported() and torch._dynamo.config is config is sys.modules[f"{NAME}.config"]
    assert torch._dynamo.eval_frame.config is config, "it was imported a second time"
    assert type(config.__spec__.loader).__name__ == "SourceFileLoader"
    assert torch._dynamo is sys.modules[NAME] is not held
    assert not [finder for finder in sys.meta_path if "pentad.system.deferred" in type(finder).__module__]
    # Whoever got hold of the stand-in gets at the real module through it.
    assert held.config is config and held.graph_break is torch._dynamo.graph_break and "optimize" in dir(held)
    held.put_there = 1
    assert torch._dynamo.put_there == 1
    del held.put_there
    assert not hasattr(torch._dynamo, "put_there")
    # torch asks the real module again.
    assert before is not None and what_torch_caches() is None
    one_step()
    assert what_torch_caches()._torchdynamo_disable


def a_submodule_that_the_package_does_not_import_is_found():
    defer_dynamo()
    import torch._dynamo.profiler

    assert is_imported() and sys.modules[f"{NAME}.profiler"] is torch._dynamo.profiler


def names_taken_from_it_are_the_real_ones():
    defer_dynamo()
    from torch._dynamo import graph_break

    assert is_imported() and graph_break.__module__ == f"{NAME}.decorators"
    real = sys.modules[NAME]
    defer_dynamo()
    assert sys.modules[NAME] is torch._dynamo is real, "it was imported already"


def a_function_that_a_plugin_disables_is_disabled():
    defer_dynamo()
    disabled = torch.compiler.disable(len)
    assert is_imported() and disabled._torchdynamo_disable


def compiling_after_steps_gives_what_it_always_gives():
    """Several threads want it at the same time; the compiled function calls what the optimizers said is not to be compiled."""
    defer_dynamo()
    one_step()
    held, found = sys.modules[NAME], []
    threads = [threading.Thread(target=lambda: found.append(held.optimize)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [torch._dynamo.optimize] * 4
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph

    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([parameter], lr=0.5)

    @torch.compile(backend=backend)
    def work(x):
        y = (x * parameter).sum()
        optimizer.zero_grad()
        return y * 2

    assert work(torch.ones(2)).item() == 4.0
    assert len(graphs) == 2, "zero_grad was compiled, or nothing was"


PROBES = (
    optimizers_import_nothing,
    who_looks_at_all_modules_imports_nothing,
    a_submodule_is_imported_once_and_by_all_the_same,
    a_submodule_that_the_package_does_not_import_is_found,
    names_taken_from_it_are_the_real_ones,
    a_function_that_a_plugin_disables_is_disabled,
    compiling_after_steps_gives_what_it_always_gives,
)


@pytest.fixture(scope="module")
def found():
    """Return what went wrong in each probe, in a process that pytest has imported nothing into."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.parametrize("probe", [probe.__name__ for probe in PROBES])
def test_stand_in(probe, found):
    assert found[probe] == ""


def in_a_fork(probe):
    """Do a probe in a child, and return what it raised."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            probe()
        except BaseException:
            os.write(writing, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as file:
        raised = file.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return raised or (f"ended by {code}" if code else "")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for each in PROBES:
        print(json.dumps([each.__name__, in_a_fork(each)]), flush=True)
