"""The lines of a run: what cannot be read is counted and said, and nothing in them costs the rest."""

from __future__ import annotations

import json
import os
import warnings

import pytest

from pentad.runs.records import is_sealed, read_lines, seal_result, sealed_step
from pentad.testing import raises_code

DAMAGE = [b"\xff\xfe", b"[1]", b"{", b"[" * 100_000, b'{"a": ' * 100_000, b'{"a": ' + b"9" * 10_000 + b"}", b"\x00" * 50, b""]


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
def test_damaged_lines_are_counted_and_said(tmp_path, damage):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"\n".join([b'{"step": 1}', damage, b'{"step": 2}', damage, b""]))
    with pytest.warns(UserWarning, match=r"metrics.jsonl is damaged: 2 of its lines are left out \(line 2, 4\)"):
        assert read_lines(path) == [{"step": 1}, {"step": 2}]


def test_a_half_line_at_the_end_is_what_a_crash_leaves(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path.write_text('{"step": 1}\n{"step": 2, "lo')
        assert read_lines(path) == [{"step": 1}]
        path.write_text('{"step": 1}\n{"step": 2}')
        assert read_lines(path) == [{"step": 1}, {"step": 2}]
        assert read_lines(tmp_path / "gone") == []


def test_many_damaged_lines_make_one_short_warning(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("x\n" * 1000)
    with pytest.warns(UserWarning, match=r"1000 of its lines are left out \(line 1, 2, 3, 4, 5, …\)"):
        assert read_lines(path) == []


def test_lines_behind_a_link_or_a_pipe_are_not_read(tmp_path):
    (tmp_path / "target").write_text('{"step": 1}\n')
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with raises_code("not-a-plain-file"):
            read_lines(tmp_path / name)


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
