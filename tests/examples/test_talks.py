"""The small data of examples/talks.py: the same for a seed, and what the builders of post-training read."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from pentad import make

SCRIPT = Path(__file__).parents[2] / "examples" / "talks.py"


def test_the_files_are_the_same_for_a_seed_and_are_rendered(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("talks", SCRIPT)
    assert spec and spec.loader
    talks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(talks)
    for name in ("one", "other"):
        talks.main(tmp_path / name, seed=3)
    sizes = {"context_length": 64, "vocab_size": 257, "end_of_text": 256}
    for name, builder, documents in (("talks", "chat", 1), ("pairs", "dpo", 2)):
        one, other = ((tmp_path / folder / f"{name}.jsonl").read_text() for folder in ("one", "other"))
        assert one == other
        for line in one.splitlines()[:20]:
            assert len(list(make("builder", builder, **sizes).render(json.loads(line)))) == documents
    assert (tmp_path / "one" / "plain.txt").read_text().count(".") > 10_000
