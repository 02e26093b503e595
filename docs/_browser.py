"""A browser driven as a person would drive it: WebDriver (W3C, 2018) spoken to chromedriver, in as much as is needed."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Driven:
    """What any browser is driven by: scripts that are run in its page, and what it complains of."""

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page and return what it returns; it is not held by the page's policy."""
        raise NotImplementedError

    def errors(self) -> list[str]:
        """Return what the browser has complained of since the last time."""
        raise NotImplementedError

    def choose(self, selector: str, value: str) -> None:
        """Choose an option of a select."""
        self.run(
            "const s = document.querySelector(arguments[0]); s.value = arguments[1];"
            "s.dispatchEvent(new Event('input', {bubbles: true})); s.dispatchEvent(new Event('change', {bubbles: true}));",
            selector,
            value,
        )

    def drop(self, selector: str, name: str, text: str) -> None:
        """Drop a file at an element."""
        self.run(
            "const data = new DataTransfer(); data.items.add(new File([arguments[2]], arguments[1]));"
            "const at = document.querySelector(arguments[0]);"
            "for (const kind of ['dragover', 'drop'])"
            "at.dispatchEvent(new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: data}))",
            selector,
            name,
            text,
        )

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector))

    def wait(self, condition: str, seconds: float = 30, *arguments: Any) -> Any:
        """Wait until JavaScript returns something true, and return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.run(f"return {condition}", *arguments)
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {condition}; errors: {self.errors()}")


class Browser(Driven):
    """A headless Chromium."""

    def __init__(self, address: str) -> None:
        self._address = address
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
        # The browser keeps to itself: nothing of its own is looked up in a network.
        arguments += [
            "--disable-background-networking",
            "--disable-component-update",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ]
        wanted = {"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._address + path, data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def open(self, address: str) -> None:
        self._ask("POST", f"{self._session}/url", {"url": address})

    def run(self, script: str, *arguments: Any) -> Any:
        return self._ask("POST", f"{self._session}/execute/sync", {"script": script, "args": list(arguments)})

    def click(self, selector: str) -> None:
        element = self._find(selector)
        self._ask("POST", f"{self._session}/element/{element}/click", {})

    def type(self, selector: str, text: str, clear: bool = True) -> None:
        element = self._find(selector)
        if clear:
            self._ask("POST", f"{self._session}/element/{element}/clear", {})
        self._ask("POST", f"{self._session}/element/{element}/value", {"text": text})

    def errors(self) -> list[str]:
        entries = self._ask("POST", f"{self._session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def look(self, width: int, height: int = 900, dark: bool = False) -> None:
        """Give the page a size and a colour scheme."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._devtools("Emulation.setEmulatedMedia", {"features": [scheme]})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", size)

    def picture(self, whole: bool = False) -> bytes:
        """Return a PNG of what is shown, or of the whole page."""
        made = self._devtools("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole})
        return base64.b64decode(made["data"])

    def _devtools(self, command: str, params: Any) -> Any:
        return self._ask("POST", f"{self._session}/goog/cdp/execute", {"cmd": command, "params": params})

    def save_to(self, folder: str) -> None:
        """Save what is downloaded into a folder, without a question."""
        self._devtools("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": folder})

    def close(self) -> None:
        self._ask("DELETE", self._session)

    def _find(self, selector: str) -> str:
        found = self._ask("POST", f"{self._session}/element", {"using": "css selector", "value": selector})
        return str(found[_ELEMENT])


def is_there() -> bool:
    """Whether a browser and its driver are installed."""
    browsers = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return shutil.which("chromedriver") is not None and any(map(shutil.which, browsers))


@contextlib.contextmanager
def started() -> Iterator[Browser]:
    """Start a browser, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen(["chromedriver", f"--port={port}", "--silent"], stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        browser = Browser(f"http://127.0.0.1:{port}")
        try:
            yield browser
        finally:
            browser.close()
    finally:
        driver.terminate()
        driver.wait()
