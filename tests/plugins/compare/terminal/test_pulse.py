"""The line about the runs under way is read from their files."""

from __future__ import annotations

import json
import queue

from pentad import Task
from pentad_compare.terminal.pulse import Pulse


def test_it_tells_the_newest_step_and_score(tmp_path, monkeypatch):
    monkeypatch.setattr("pentad_compare.terminal.pulse.SECONDS", 0.01)
    task = Task(name="gpt, seed 0", work="m:train", argument={}, folder=tmp_path)
    said: queue.Queue[str] = queue.Queue()
    (tmp_path / "run").mkdir()
    lines = [{"kind": "step", "step": n, "loss": 3 - n / 1000} for n in range(200)]
    lines.insert(150, {"kind": "evaluation", "step": 150, "bits_per_byte": 2.5, "primary": "bits_per_byte"})
    content = "".join(json.dumps(line) + "\n" for line in lines) + '{"kind": "step", "st'
    (tmp_path / "run" / "metrics.jsonl").write_text(content)
    with Pulse([task], said.put):
        line = said.get(timeout=30)
    assert line == "gpt, seed 0: step 199, loss 2.801, 2.500 bits per byte"


def test_it_says_nothing_of_what_has_not_begun(tmp_path, monkeypatch):
    monkeypatch.setattr("pentad_compare.terminal.pulse.SECONDS", 0.001)
    said: list[str] = []
    task = Task(name="a", work="m:train", argument={}, folder=tmp_path)
    with Pulse([task], said.append) as pulse:
        pulse.tasks = []
    assert said == []
