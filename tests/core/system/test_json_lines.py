"""JSON lines: what cannot be read is counted and said, and nothing in them costs the rest."""

from __future__ import annotations

import os
import warnings

import pytest

from pentad.system.json_lines import LineFollower, read_lines
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


def test_a_file_that_grows_is_read_line_by_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    follower = LineFollower(path)
    assert follower.read() == ([], False)
    path.write_text('{"step": 1}\n{"st')
    assert follower.read() == ([{"step": 1}], False)
    with path.open("a") as file:
        file.write('ep": 2}\n[3]\n')
    assert follower.read() == ([{"step": 2}], False)
    assert follower.read() == ([], False)


def test_a_file_that_was_replaced_or_cut_is_read_anew(tmp_path):
    path, other = tmp_path / "metrics.jsonl", tmp_path / "other.jsonl"
    follower = LineFollower(path)
    path.write_text('{"step": 1}\n{"step": 2}\n')
    follower.read()
    other.write_text('{"step": 1}\n{"step": 9}\n{"step": 10}\n')
    other.replace(path)
    assert follower.read() == ([{"step": 1}, {"step": 9}, {"step": 10}], True)
    path.write_text('{"step": 1}\n')
    assert follower.read() == ([{"step": 1}], True)
    path.unlink()
    assert follower.read() == ([], True)


def test_no_link_is_followed_while_it_grows(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_text("{}\n")
    with raises_code("not-a-plain-file"):
        LineFollower(tmp_path / "link").read()
