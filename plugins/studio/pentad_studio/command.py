"""`engine studio`: serve the pages on this machine, and open them in the browser."""

from __future__ import annotations

import secrets
import shlex
import socket
from pathlib import Path

import click

from pentad import UsageError
from pentad_cli.tools import EngineCommand, Folder, installed, plugin_option

PORT = 8760
"""The port where none is asked for; the next free one where it is taken."""


def _studio(port: int | None, browser: bool, runs: Path, comparisons: Path, plugin: tuple[Path, ...]) -> None:
    from pentad import Catalogue
    from pentad.tools import prepare_process
    from pentad_studio.server.studio import Studio

    listening = listen(port)
    prepare_process()  # before a page imports torch
    catalogue = Catalogue(plugin_files=plugin) if plugin else installed()
    serve(Studio(catalogue=catalogue, runs=runs, comparisons=comparisons), listening, browser)


def serve(studio: object, listening: socket.socket, browser: bool) -> None:
    """Serve a studio until Ctrl-C."""
    import uvicorn

    from pentad_studio.server.app import make_app
    from pentad_studio.server.studio import Studio

    assert isinstance(studio, Studio)
    token, port = secrets.token_urlsafe(24), listening.getsockname()[1]
    address = f"http://127.0.0.1:{port}/{token}/tokens"
    config = uvicorn.Config(make_app(studio, token, port), log_level="error", access_log=False, timeout_graceful_shutdown=2)
    click.echo(f"pentad studio: {address}\nEnd it with Ctrl-C.")
    if browser:
        import webbrowser

        webbrowser.open(address)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        stopped = studio.jobs.end()
        for name in stopped:
            click.echo(f"Stopped {name}; go on with: engine resume {shlex.quote(str(studio.runs / name))}")


def listen(port: int | None) -> socket.socket:
    """Return a socket on 127.0.0.1: at a port, or at the first free one of a few.

    Raises:
        UsageError: the port is taken, or none of the few is free.
    """
    ports = range(PORT, PORT + 20) if port is None else [port]
    for number in ports:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", number))
        except OSError:
            listening.close()
            continue
        return listening
    raise UsageError(
        f"--port must be free on this machine; {ports[0]} is taken.", "Use another --port; 0 takes any.", code="port-taken"
    )


studio = EngineCommand(
    "studio",
    callback=_studio,
    short_help="See in the browser what a model does.",
    help="""See in the browser what each step does, on your own text and models: how text is cut, what is learned from it, runs
    as they learn, and what a model writes, with what it might have written instead.

    The pages are served on this machine alone, at an address that is printed; it holds a secret that is new each time. Nothing
    is loaded from a network.

    \b
      engine studio
      engine studio --runs experiments/runs --no-browser""",
    params=[
        click.Option(
            ["--port"],
            type=click.IntRange(0, 65535),
            metavar="N",
            help=f"Port to listen on; the first free one from {PORT} on unless given, 0 for any.",
        ),
        click.Option(
            ["--browser/--no-browser"], default=True, help="Whether to open the address in the browser.  [default: browser]"
        ),
        click.Option(
            ["--runs"],
            type=Folder(),
            default=Path("runs"),
            show_default=True,
            metavar="DIR",
            help="Folder of the runs to show; new ones are saved there.",
        ),
        click.Option(
            ["--comparisons"],
            type=Folder(),
            default=Path("comparisons"),
            show_default=True,
            metavar="DIR",
            help="Folder of the comparisons to show.",
        ),
        plugin_option(),
    ],
)
