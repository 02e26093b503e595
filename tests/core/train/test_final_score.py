"""The score at the end of a run is that of every held-out byte; scores on the way may be of a sample."""

from __future__ import annotations

import pytest

from pentad import RunObserver, run


@pytest.fixture(autouse=True)
def _cache(cache):
    """Keep what the test makes of its text in the cache of the session."""


def test_the_final_score_is_of_every_held_out_byte(tmp_path, tiny_recipe, monkeypatch):
    scores = []

    class Listens(RunObserver):
        def on_evaluation(self, event):
            scores.append(event)

    text = tmp_path / "text.txt"
    text.write_text("".join(f"{number} dogs lay on rug {number * 7 % 13}.\n\n" for number in range(200)))
    monkeypatch.setattr("pentad.train.loop.tokens_on_the_way", lambda job: 64)
    result = run(tiny_recipe(text), out=tmp_path / "run", observers=[Listens()])
    held_out = len(text.read_bytes()) - int(0.9 * len(text.read_bytes()))
    *on_the_way, final = scores
    assert final.n_bytes == result.evaluation.n_bytes == held_out
    assert on_the_way and all(0 < score.n_bytes <= 64 for score in on_the_way)
