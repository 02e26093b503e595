"""`engine` for tests without its imports: a process that has imported torch forks a child for each command.

Half of the time of a short command is the import of torch, which every run needs. A test that asks what a
command does, and not how it starts, calls it here: `python warm_engine.py SOCKET ARGUMENTS…` hands its arguments, directory,
environment and streams to the server of that socket, passes signals on, and ends as the command did; where it is killed, so is
the command. Commands start afresh in all that the engine keeps in a process, since the server itself calls none. What
multiprocessing starts for the tasks of a comparison is forked too: it would import torch once more.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Sequence

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_PRELOADED = (
    *("pentad.pipeline", "pentad_cli.main", "pentad_cli.commands.run", "pentad_cli.commands.generate"),
    *("pentad_gpt.model", "pentad_bpe.tokenizer", "pentad_adamw.optimizer", "pentad_muon.optimizer", "pentad_compare.session"),
)


def call(path: str, arguments: list[str]) -> int:
    """Let the server run `engine` with these arguments, and return its exit code."""
    server = socket.socket(socket.AF_UNIX)
    server.connect(path)
    told = json.dumps({"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}).encode()
    socket.send_fds(server, [len(told).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(told)
    answers = server.makefile("r")
    child = int(answers.readline())
    for number in _PASSED_ON:
        # A shell that puts the tests into the background has them ignore Ctrl-C; the commands that they call shall not.
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda received, _: os.kill(child, received))
    code = int(answers.readline())
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def serve(path: str) -> None:
    """Import what commands need, and run one in a child for each caller, until the process that started this one ends."""
    import importlib

    from pentad.system.machine import prepare_process

    prepare_process()
    for name in _PRELOADED:
        importlib.import_module(name)
    parent = os.getppid()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    listening.settimeout(1.0)
    while os.getppid() == parent:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):  # those that have handled a caller
                pass
        try:
            caller, _ = listening.accept()
        except TimeoutError:
            continue
        caller.settimeout(None)
        if os.fork() == 0:
            listening.close()
            os._exit(_handle(caller))
        caller.close()


def _handle(caller: socket.socket) -> int:
    size, streams, _, _ = socket.recv_fds(caller, 8, 3)
    with caller.makefile("rb") as told:
        asked = json.loads(told.read(int.from_bytes(size, "big")))
    child = os.fork()
    if child == 0:
        caller.close()
        sys.exit(_run(streams, asked["arguments"], asked["folder"], asked["environment"]))  # as every Python process ends
    for stream in streams:
        os.close(stream)
    caller.sendall(f"{child}\n".encode())
    ended = os.pidfd_open(child)
    if ended not in select.select([ended, caller], [], [])[0]:
        os.kill(child, signal.SIGKILL)  # the caller, which says nothing more, was killed
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        caller.sendall(f"{code}\n".encode())
    return 0


def _run(streams: list[int], arguments: list[str], folder: str, environment: dict[str, str]) -> int:
    """Become the command."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        for number, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"))
    )
    sys.stderr.reconfigure(line_buffering=True)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = [os.path.join(os.path.dirname(sys.executable), "engine"), *arguments]
    from multiprocessing import util

    from pentad_cli.main import main

    util.spawnv_passfds = functools.partial(_fork_instead, util.spawnv_passfds)
    try:
        main()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0


def _fork_instead(start_python: Callable[..., int], path: bytes, arguments: Sequence[str], descriptors: Sequence[int]) -> int:
    """Do in a fork what multiprocessing would have a Python of its own do: to serve forks, and to track resources."""
    program = arguments[-1]
    if not program.startswith("from multiprocessing."):
        return start_python(path, arguments, descriptors)
    child = os.fork()
    if child == 0:
        try:
            _forget_parent(descriptors)
            exec(program, {})
        finally:
            os._exit(0)
    return child


def _forget_parent(descriptors: Sequence[int]) -> None:
    """Keep what a started program keeps: the streams, the descriptors that it is given, and which signals are ignored."""
    kept = sorted({0, 1, 2, *descriptors})
    for low, high in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
        os.closerange(low + 1, high)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    else:
        sys.exit(call(sys.argv[1], sys.argv[2:]))
