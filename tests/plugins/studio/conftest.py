"""A tiny trained run, and the studio asked in process, as a browser would ask it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient

import pentad
from pentad import Catalogue, Choice, Recipe
from pentad_studio.server.app import make_app
from pentad_studio.server.studio import Studio

TOKEN, PORT = "secret-of-this-test", 8760
HOST = f"http://127.0.0.1:{PORT}"

TEXT = "".join(f"{number} bottles of beer on the wall.\n" for number in range(400))


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue()


@pytest.fixture(scope="session")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "bottles.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, catalogue: Catalogue, text_file: Path) -> Path:
    """A folder with runs/tiny, a gpt of width 16 over bytes after 12 steps."""
    folder = tmp_path_factory.mktemp("home")
    recipe = Recipe(
        tokenizer="byte",
        builder="next-token",
        model=Choice("gpt", n_layer=1, n_head=1, n_embd=16),
        optimizer="adamw",
        sampler=Choice("top-k", k=20),
        data=text_file,
        training={"steps": 12, "batch_size": 4, "context_length": 32},
        machine={"device": "cpu", "precision": "fp32", "threads": 1},
        reporting={"log_every": 2},
        generation={"max_tokens": 8},
    )
    pentad.run(recipe, catalogue=catalogue, out=folder / "runs" / "tiny", observers=())
    return folder


@pytest.fixture(scope="session")
def talker(home: Path, catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a run beside the other one that learned conversations for 6 steps."""
    data = tmp_path_factory.mktemp("talks") / "talks.jsonl"
    data.write_text("".join(json.dumps({"prompt": f"{n}?", "completion": "beer"}) + "\n" for n in range(60)))
    recipe = Recipe(
        tokenizer="byte",
        builder="chat",
        model=Choice("gpt", n_layer=1, n_head=1, n_embd=16),
        optimizer="adamw",
        sampler="temperature",
        data=data,
        training={"steps": 6, "batch_size": 4, "context_length": 48},
        machine={"device": "cpu", "precision": "fp32", "threads": 1},
        generation={"max_tokens": 4, "samples": 1},
    )
    pentad.run(recipe, catalogue=catalogue, out=home / "runs" / "talker", observers=())
    return "talker"


@pytest.fixture(scope="session")
def studio(home: Path, catalogue: Catalogue) -> Studio:
    return Studio(catalogue=catalogue, runs=home / "runs", comparisons=home / "comparisons")


class Page(TestClient):
    """The studio's own page: it knows the secret and says where it comes from."""

    def __init__(self, studio: Studio) -> None:
        headers = {"origin": HOST, "x-studio": "part"}
        super().__init__(
            make_app(studio, TOKEN, PORT), base_url=f"{HOST}/{TOKEN}/", headers=headers, raise_server_exceptions=True
        )

    def ask(self, address: str, **fields: Any) -> str:
        """Send a form and return the part that comes back."""
        answer = self.post(address, data={name.replace("__", "-"): value for name, value in fields.items()})
        assert answer.status_code == 200, answer.text
        return answer.text

    def refusal(self, address: str, **fields: Any) -> str:
        """Send a form that cannot be answered, and return the code of the error."""
        answer = self.post(address, data=fields)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["code"])


@pytest.fixture(scope="session")
def page(studio: Studio) -> Iterator[Page]:
    with Page(studio) as client:
        yield client


def driver(name: str) -> ModuleType:
    """Load a module that drives a browser; the script that takes the documentation's pictures uses it too."""
    if name not in sys.modules:
        place = Path(__file__).parents[3] / "docs" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, place)
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def drive() -> ModuleType:
    module = driver("_browser")
    if not module.is_there():
        pytest.skip("No Chromium with its driver is installed: apt-get install chromium chromium-driver.")
    return module


Serving = Callable[[int], AbstractContextManager[str]]


@pytest.fixture(scope="session")
def serving(studio: Studio) -> Serving:
    """Serve the studio on a port, 0 for any; gives its address, without the page."""
    import uvicorn

    @contextlib.contextmanager
    def serve(port: int) -> Iterator[str]:
        with socket.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", port))
            listening.listen()  # whoever asks before the server is up waits, rather than being refused
            port = listening.getsockname()[1]
            config = uvicorn.Config(make_app(studio, TOKEN, port), log_level="critical", timeout_graceful_shutdown=1)
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                yield f"http://127.0.0.1:{port}/{TOKEN}"
            finally:
                server.should_exit = True
                thread.join(timeout=20)

    return serve


@pytest.fixture(scope="module")
def served(serving: Serving) -> Iterator[str]:
    with serving(0) as address:
        yield address


@pytest.fixture(scope="module")
def browser(drive: ModuleType) -> Iterator[Any]:
    with drive.started() as found:
        yield found


@pytest.fixture(scope="module")
def firefox() -> Iterator[Any]:
    driver("_browser")
    module = driver("_firefox")
    if not module.is_there():
        pytest.skip("No Firefox is installed, or no websockets to speak to it with: apt-get install firefox-esr.")
    with module.started() as found:
        yield found
