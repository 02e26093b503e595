"""The lines of a run: what cannot be read is counted and said, and nothing in them costs the rest."""

from __future__ import annotations

import json

import pytest

from pentad.runs.records import SEALED, changed_records, is_sealed, seal_result, sealed_step


@pytest.mark.parametrize("text", ["", "[]", "{", '{"step": "8"}', '{"step": true}', '{"step": 8.0}', "[" * 10**5])
def test_what_is_no_result_seals_nothing(tmp_path, text):
    for name in ("metrics.jsonl", "samples.jsonl"):
        (tmp_path / name).write_text("")
    seal_result(tmp_path, 8, "")
    assert sealed_step(tmp_path) == 8 and is_sealed(tmp_path)
    (tmp_path / "result.json").write_text(text)
    assert sealed_step(tmp_path) is None and not is_sealed(tmp_path)


def test_a_seal_of_other_bytes_is_none(tmp_path):
    for name in ("metrics.jsonl", "samples.jsonl"):
        (tmp_path / name).write_text("")
    seal_result(tmp_path, 8, "because")
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["step"], result["stop_reason"]) == (8, "because")
    result["files"]["metrics.jsonl"]["size"] += 1
    (tmp_path / "result.json").write_text(json.dumps(result))
    assert not is_sealed(tmp_path)


@pytest.mark.parametrize("name", SEALED)
def test_what_differs_from_the_seal_is_named(tmp_path, name):
    for each in SEALED:
        (tmp_path / each).write_text(each)
    assert changed_records(tmp_path) == []
    seal_result(tmp_path, 8, "")
    assert changed_records(tmp_path) == [] and is_sealed(tmp_path)
    (tmp_path / name).write_text("edited")
    assert changed_records(tmp_path) == [name] and not is_sealed(tmp_path)
    (tmp_path / name).unlink()
    assert changed_records(tmp_path) == [name] and not is_sealed(tmp_path)
