"""A headless Firefox, driven as a person would: WebDriver BiDi (W3C), which it speaks itself; in as much as is needed."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _browser import Driven

_PROGRAMS = ("firefox-esr", "firefox")

_PREFERENCES = {
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
}
"""The browser keeps to itself: nothing of its own is looked up in a network."""

_KEY_OF = {"\n": "\ue007"}


class Firefox(Driven):
    """A headless Firefox.

    Args:
        connection: its web socket.
    """

    def __init__(self, connection: Any) -> None:
        self._socket = connection
        self._number = 0
        self._complaints: list[str] = []
        self._ask("session.new", capabilities={})
        self._page = self._ask("browsingContext.getTree")["contexts"][0]["context"]
        self._ask("session.subscribe", events=["log.entryAdded"])

    def _ask(self, method: str, **params: Any) -> Any:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            said = json.loads(self._socket.recv(timeout=60))
            if said.get("method") == "log.entryAdded" and said["params"]["level"] in ("error", "warn"):
                self._complaints.append(str(said["params"]["text"]))
            if said.get("id") == self._number:
                if said["type"] == "error":
                    raise AssertionError(f"{method}: {said['message']}")
                return said["result"]

    def open(self, address: str) -> None:
        self._ask("browsingContext.navigate", context=self._page, url=address, wait="complete")

    def _call(self, function: str, *arguments: Any) -> Any:
        said = [{"type": "string", "value": json.dumps(argument)} for argument in arguments]
        found = self._ask(
            "script.callFunction",
            functionDeclaration=function,
            arguments=said,
            target={"context": self._page},
            awaitPromise=True,
        )
        if found["type"] == "exception":
            raise AssertionError(found["exceptionDetails"]["text"])
        return found["result"]

    def run(self, script: str, *arguments: Any) -> Any:
        # Values go both ways as JSON, not in the protocol's own notation; of an element it says that it is one.
        said = f"(function () {{ {script} }})(...all.map(one => JSON.parse(one))) ?? null"
        function = f"(...all) => JSON.stringify({said}, (key, value) => value instanceof Node ? 'element' : value)"
        return json.loads(self._call(function, *arguments)["value"])

    def errors(self) -> list[str]:
        self._ask("session.status")  # what was said before is heard
        complaints, self._complaints = self._complaints, []
        return complaints

    def click(self, selector: str) -> None:
        found = self._call("one => document.querySelector(JSON.parse(one))", selector)
        assert found["type"] == "node", f"nothing to click: {selector}"
        self.run("document.querySelector(arguments[0]).scrollIntoView({ block: 'center' })", selector)
        origin = {"type": "element", "element": {"sharedId": found["sharedId"]}}
        moves = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._act({"type": "pointer", "id": "mouse", "actions": moves})

    def type(self, selector: str, text: str) -> None:
        """Type into a field, in place of what is there."""
        self.run("const field = document.querySelector(arguments[0]); field.focus(); field.select()", selector)
        keys = [_KEY_OF.get(letter, letter) for letter in text] or ["\ue003"]
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": actions})

    def press(self, *keys: str) -> None:
        """Press keys, by the codes of WebDriver where they are no letters."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": actions})

    def _act(self, actions: Any) -> None:
        self._ask("input.performActions", context=self._page, actions=[actions])

    def look(self, width: int, height: int = 900) -> None:
        """Give the page a size."""
        self._ask("browsingContext.setViewport", context=self._page, viewport={"width": width, "height": height})


def is_there() -> bool:
    """Whether a Firefox is installed, and what it is spoken to with."""
    with contextlib.suppress(ImportError):
        import websockets.sync.client  # noqa: F401

        return any(map(shutil.which, _PROGRAMS))
    return False


@contextlib.contextmanager
def started() -> Iterator[Firefox]:
    """Start a Firefox with a profile of its own, and end it."""
    from websockets.sync.client import connect

    program = next(filter(None, map(shutil.which, _PROGRAMS)))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        with open(f"{profile}/user.js", "w", encoding="utf-8") as file:
            file.writelines(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in _PREFERENCES.items())
        command = [program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(f"{_address(profile, process)}/session", max_size=None, open_timeout=60) as connection:
                yield Firefox(connection)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _address(profile: str, process: subprocess.Popen[bytes], seconds: float = 60) -> str:
    """Return the address of the web socket, which the browser writes into its profile when it listens."""
    place, end = Path(profile, "WebDriverBiDiServer.json"), time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            said = json.loads(place.read_text(encoding="utf-8"))
            return f"ws://{said['ws_host']}:{said['ws_port']}"
        time.sleep(0.05)
    raise AssertionError(f"Firefox did not listen within {seconds:.0f} s; it ended with {process.poll()}")
