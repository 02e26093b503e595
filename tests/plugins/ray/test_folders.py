"""Folders on their way: every file, in pieces, and nothing outside the place where they go."""

from __future__ import annotations

import pytest

from pentad.testing import raises_code
from pentad_ray import folders
from pentad_ray.folders import Incoming, inside, listing, offsets, read_piece


def test_a_folder_arrives_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "PIECE", 7)
    source, place = tmp_path / "source", tmp_path / "place"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep" / "er" / "ü.bin").write_bytes(bytes(range(50)))
    (source / "even").write_bytes(bytes(14))
    (source / "empty").touch()
    (source / ".ray-token").touch()
    (source / "link").symlink_to("/etc/passwd")
    (source / "linked").symlink_to("/etc")
    assert [name for name, _ in listing(source)] == ["deep/er/ü.bin", "empty", "even"]
    place.mkdir()
    (place / "old").touch()
    incoming = Incoming(place)
    for name, size in listing(source):
        for offset in offsets(size):
            piece = read_piece(source, name, offset)
            assert len(piece) <= 7
            incoming.write(name, piece)
    assert [path.name for path in place.iterdir()] == ["old"]
    incoming.commit()
    incoming.discard()
    assert listing(place) == listing(source)
    assert all((place / name).read_bytes() == (source / name).read_bytes() for name, _ in listing(source))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["place", "source"]
    assert place.stat().st_mode == source.stat().st_mode


def test_what_did_not_arrive_whole_leaves_nothing(tmp_path):
    incoming = Incoming(tmp_path / "place")
    incoming.write("a", b"half")
    incoming.discard()
    assert list(tmp_path.iterdir()) == []
    assert listing(tmp_path / "missing") == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/../../b", "/etc/passwd", "C:\\a", "\\\\host\\share\\a", "..\\a", "a\\..\\..\\b", "a\0b"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    with raises_code("path-outside"):
        inside(tmp_path, name)
    incoming = Incoming(tmp_path / "place")
    with raises_code("path-outside"):
        incoming.write(name, b"x")
    with raises_code("path-outside"):
        read_piece(tmp_path, name, 0)
