"""Folders that are whole or absent, at whatever moment the process dies."""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import lzma
import os
import signal
import sys

import pytest

from pentad.system import files as module
from pentad.system.files import (
    check_whole,
    is_stamped,
    is_whole,
    locked,
    read_json,
    read_packaged,
    stamped,
    write_atomically,
    write_whole,
)
from pentad.testing import raises_code


def build(text):
    def write(folder):
        (folder / "a").write_text(text)
        (folder / "sub").mkdir()
        (folder / "sub/b").write_text(text * 2)

    return write


def test_a_folder_is_whole_or_absent_whenever_it_is_killed(tmp_path, killed_at):
    count = 1
    while killed_at(count, functools.partial(write_whole, tmp_path / str(count), build("x"))):
        if (tmp_path / str(count)).exists():
            check_whole(tmp_path / str(count))
        count += 1
    check_whole(tmp_path / str(count))
    assert count > 5  # the files, the folders, the rename


def test_a_file_is_old_or_new_whenever_it_is_killed(tmp_path, killed_at):
    path = tmp_path / "recipe.toml"
    path.write_text("old")
    count = 1
    while killed_at(count, lambda: write_atomically(path, "new")):
        assert path.read_text() in ("old", "new")
        count += 1
    assert path.read_text() == "new" and count > 2
    assert [each.name for each in tmp_path.iterdir()] == ["recipe.toml"]


def test_a_whole_folder_stays_and_a_damaged_one_is_replaced(tmp_path):
    place = tmp_path / "place"
    write_whole(place, build("one"))
    write_whole(place, build("two"))
    assert (place / "a").read_text() == "one"
    (place / "sub/b").write_text("oneonE")
    write_whole(place, build("two"))
    assert (place / "a").read_text() == "two"
    check_whole(place)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), ValueError("bug"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing(tmp_path, monkeypatch, error):
    def fail(*args):
        raise error

    with pytest.raises(type(error)):
        write_whole(tmp_path / "place", fail)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        write_whole(tmp_path / "place", build("x"))
    with pytest.raises(type(error)):
        write_atomically(tmp_path / "file", "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "code", "found"),
    [
        (lambda place: (place / "a").write_text("y"), "file-damaged", "/a "),
        (lambda place: (place / "a").write_text("longer"), "file-damaged", "/a "),
        (lambda place: (place / "sub/b").unlink(), "file-damaged", "sub/b is missing"),
        (lambda place: (place / "c").write_text(""), "file-damaged", "c is not sealed"),
        (lambda place: (place / "digest.json").unlink(), "saved-file-unreadable", "digest.json "),
        (lambda place: (place / "digest.json").write_text("[]"), "file-damaged", "digest.json "),
        (lambda place: (place / "digest.json").write_text('{"a": 1, "sub/b": 2}'), "file-damaged", "/a "),
        (lambda place: (place / "digest.json").write_text('{"../x": {}}'), "file-damaged", ""),
    ],
)
def test_damage_is_found(tmp_path, damage, code, found):
    write_whole(tmp_path / "place", build("x"))
    damage(tmp_path / "place")
    with raises_code(code) as caught:
        check_whole(tmp_path / "place")
    assert found in caught.value.message
    assert not is_whole(tmp_path / "place")


def test_every_flipped_bit_is_found(tmp_path):
    place = tmp_path / "place"
    write_whole(place, lambda folder: (folder / "a").write_bytes(b"some bytes") and None)
    for path in place.iterdir():
        whole = path.read_bytes()
        for at in range(0, len(whole), 7):
            flipped = bytes([whole[at] ^ 4])
            path.write_bytes(whole[:at] + flipped + whole[at + 1 :])
            # White space in the seal may change without a change of what it says.
            assert not is_whole(place) or json.loads(path.read_bytes()) == json.loads(whole)
        path.write_bytes(whole)
    check_whole(place)


@pytest.mark.parametrize("text", ["", "{", "[1]", "1", "\xff", "[" * 10**5, '{"a": ' + "9" * 10**5 + "}"])
def test_what_is_no_json_object(tmp_path, text):
    (tmp_path / "x.json").write_text(text, encoding="latin-1")
    with raises_code("file-damaged"):
        read_json(tmp_path / "x.json")


def test_huge_json_is_not_read(tmp_path, monkeypatch):
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(module.MOST_JSON + 1)
    with raises_code("file-damaged"):
        read_json(tmp_path / "x.json")
    with raises_code("saved-file-unreadable"):
        read_json(tmp_path / "y.json")


def test_a_lock_is_held_until_its_process_dies(tmp_path):
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        with locked(tmp_path / ".lock"):
            os.write(told, b"x")
            signal.pause()
    os.read(ready, 1)
    with pytest.raises(BlockingIOError), locked(tmp_path / ".lock", wait=False):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with locked(tmp_path / ".lock", wait=False) as held:
        assert held


def test_where_there_are_no_locks(tmp_path, monkeypatch):
    def unsupported(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", unsupported)
    with locked(tmp_path / ".lock", wait=False) as held:
        assert not held


@pytest.mark.parametrize(
    ("packed", "size", "fits"),
    [("text", 12, True), ("text", 5, False), ("other", 12, False), (None, 12, False), (b"no xz", 12, False)],
)
def test_what_a_package_ships_is_read_whole_or_refused(tmp_path, monkeypatch, packed, size, fits):
    """Also where the file unpacks to more than it should, so that none can fill the memory."""
    text = b"To be or not"
    package = tmp_path / "shipping"
    package.mkdir()
    (package / "__init__.py").touch()
    if packed is not None:
        data = lzma.compress({"text": text, "other": b"To be or NOT"}[packed]) if isinstance(packed, str) else packed
        (package / "text.xz").write_bytes(data)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shipping", raising=False)
    digest = hashlib.sha256(text).hexdigest()
    if fits:
        assert read_packaged("shipping", "text.xz", size=size, sha256=digest) == text
        return
    with raises_code("package-damaged") as caught:
        read_packaged("shipping", "text.xz", size=size, sha256=digest)
    assert "pip install --force-reinstall shipping" in caught.value.hint


def test_an_edit_of_what_is_stamped_is_seen():
    values = {"score": 1.25, "texts": ("a", "\u2028\ud800"), "odd": float("nan"), "of": {1: None}}
    found = json.loads(json.dumps(stamped(values, "runs/a")))
    assert is_stamped(found, "runs/a") and stamped(found, "runs/a") == found
    assert not is_stamped(found, "runs/b") and not is_stamped(found)
    assert not is_stamped({**found, "score": 1.5}, "runs/a") and not is_stamped({**found, "more": 0}, "runs/a")
    assert not is_stamped({}) and not is_stamped({"sha256": None})
