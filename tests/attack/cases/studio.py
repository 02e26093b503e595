"""The studio is asked anything: it answers or refuses with a code, writes no file, and a stranger gets nothing."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from starlette.testclient import TestClient

from pentad import Catalogue
from pentad_studio.server.app import make_app
from pentad_studio.server.studio import Studio

from ..ground import Ground
from ..harness.batch import Batch, seeded
from ..harness.child import prepared

TOKEN, PORT = "secret-of-the-attack", 8760
HOST = f"http://127.0.0.1:{PORT}"

PAGES = (
    *("tokens", "examples", "training", "start", "trace", "chat", "text", "inside", "generation", "options", "started"),
    *("comparisons", "comparison", "comparison-report", "static/live.js", "alive", "nothing"),
)

FORMS = (
    *("tokens-part", "examples-part", "training-list", "start-command", "start-plan", "trace-part", "chat-about"),
    *("text-part", "text-scores", "inside-part", "run-stop", "generation-stream", "chat-stream"),
)
"""All but those that start a training."""

FIELDS = (
    *("run", "name", "text", "seed", "sampler", "rows", "prompt", "max_tokens", "document", "column", "builder", "word"),
    *("system", "steps", "start", "special", "question", "part", "model", "least", "kept", "history", "first", "find"),
    *("filter", "data", "context_length", "chosen", "budget", "at", "tokenizer", "optimizer", "sampler.temperature"),
    *("model.n_layer", "training.steps", "data.sources"),
)

WORDS = (
    *("run", "run", "byte", "gpt", "next-token", "temperature", "1 cats sat", "1", "0", "-1", "10", "1e9", "9" * 400),
    *("nan", "", "..", "../run", "../../etc", "/etc/passwd", "run/..", "\0", "\x1b[2J", "<script>alert(1)</script>"),
    *("'\"><b>", "\u202e", "a" * 5000, "{", '[{"role": "user", "text": "1"}]', '{"a": 1}', "[" * 3000, "--plugin"),
    *("; touch pwned", "$(touch pwned)"),
)

STRANGERS: tuple[dict[str, str], ...] = (
    {"host": "evil.example"},
    {"host": f"evil.example:{PORT}"},
    {"host": ""},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)


def requests(ground: Ground, number: int, size: int, seed: int) -> Iterator[Batch]:
    """Ask each address a number of times."""
    home = ground.folder / "studio"
    (home / "comparisons").mkdir(parents=True)
    shutil.copytree(ground.complete, home / "runs" / "run")
    prepared(lambda: [_ask(home, random.Random(index)) for index in range(3)])
    for address in (*PAGES, *FORMS):

        def work(chance: random.Random, address: str = address) -> str:
            return _ask(home, chance, address)

        yield from seeded(f"asked for {address}", seed, work, number, size)


def _ask(home: Path, chance: random.Random, address: str = "tokens") -> str:
    before = _content(home)
    studio = Studio(catalogue=Catalogue(), runs=home / "runs", comparisons=home / "comparisons")
    with TestClient(make_app(studio, TOKEN, PORT), base_url=f"{HOST}/{TOKEN}/", follow_redirects=False) as page:
        stranger = chance.random() < 0.25
        headers = {"origin": HOST, "x-studio": "part", **(chance.choice(STRANGERS) if stranger else {})}
        path = chance.choice((f"{HOST}/{address}", f"{HOST}/{TOKEN}x/{address}", address)) if stranger else address
        fields = {name: chance.choice(WORDS) for name in chance.sample(FIELDS, chance.randrange(8))}
        if chance.random() < 0.7:
            fields["run"] = "run"
        if address in FORMS:
            noise = chance.randbytes(chance.randrange(500)) if chance.random() < 0.1 else None
            answer = page.post(path, content=noise, headers=headers) if noise else page.post(path, data=fields, headers=headers)
        else:
            answer = page.get(path, params=fields, headers=headers)
    if stranger and answer.status_code not in (403, 421):
        return f"a stranger got {answer.status_code}: {headers} {path}"
    if answer.status_code >= 500:
        return f"{answer.status_code} for {fields}: {answer.text[:300]}"
    if "<script>alert" in answer.text and "html" in answer.headers.get("content-type", ""):
        return f"markup of {fields} got through"
    return "" if _content(home) == before else "it wrote to a file"


def _content(home: Path) -> dict[str, tuple[int, int]]:
    files = [path for path in home.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}
