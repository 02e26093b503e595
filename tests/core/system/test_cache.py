"""Cache entries are whole or absent, whatever happens while they are made."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest

from pentad import EngineError
from pentad.system.cache import cache_directory, folder_fingerprint, from_cache
from pentad.testing import raises_code


def write(text: str):
    def build(folder):
        (folder / "a").write_text(text)
        (folder / "sub").mkdir()
        (folder / "sub/b").write_text(text)

    return build


def cached(place, build):
    """Make sure that an entry is there, and return where its files are."""
    from_cache(place, build, list)
    return place / "content"


def fail(folder):
    raise AssertionError("must not be built again")


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def test_the_cache_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "mine"))
    assert cache_directory() == tmp_path / "mine"
    monkeypatch.delenv("PENTAD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg/pentad"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_directory() == tmp_path / "home/.cache/pentad"


def test_without_a_home_folder_the_cache_is_asked_for(monkeypatch):
    """As in a container whose user has no entry in passwd."""

    def nobody(*args):
        raise KeyError(*args)

    pwd = pytest.importorskip("pwd")
    for name in ("getpwuid", "getpwnam"):
        monkeypatch.setattr(pwd, name, nobody)
    for variable in ("PENTAD_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(variable, raising=False)
    for given, place in (("", "~/.cache/pentad"), ("~nobody/mine", "~nobody/mine")):
        monkeypatch.setenv("PENTAD_CACHE", given)
        with raises_code("home-missing") as caught:
            cache_directory()
        assert place in caught.value.message and "PENTAD_CACHE" in caught.value.hint


def test_a_cache_directory_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "file/below"))
    with raises_code("not-writable") as caught:
        cache_directory()
    assert "PENTAD_CACHE" in caught.value.hint


def test_an_entry_is_built_once(tmp_path):
    assert (cached(tmp_path / "key", write("x")) / "sub/b").read_text() == "x"
    assert (cached(tmp_path / "key", fail) / "a").read_text() == "x"
    assert names(tmp_path) == {"key"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda place: (place / "content/a").write_text("y"),
        lambda place: (place / "content/sub/b").unlink(),
        lambda place: (place / "content/more").write_text(""),
        lambda place: (place / "digest.json").write_bytes(b"\xff"),
        lambda place: (place / "digest.json").unlink(),
    ],
)
def test_a_damaged_entry_is_rebuilt(tmp_path, damage):
    cached(tmp_path / "key", write("x"))
    damage(tmp_path / "key")
    assert (cached(tmp_path / "key", write("x")) / "a").read_text() == "x"
    assert names(tmp_path / "key/content") == {"a", "sub"}
    assert names(tmp_path) == {"key"}


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), RuntimeError("bug"), KeyboardInterrupt()])
def test_a_failed_build_leaves_nothing(tmp_path, error):
    def build(folder):
        (folder / "half").write_text("half")
        raise error

    with pytest.raises(EngineError if isinstance(error, OSError) else type(error)) as caught:
        cached(tmp_path / "key", build)
    assert names(tmp_path) == set()
    if isinstance(caught.value, EngineError):
        assert caught.value.code == "disk-full"


def test_a_killed_build_leaves_no_entry_and_is_swept(tmp_path):
    code = """
        import sys, time
        from pathlib import Path
        from pentad.system.cache import from_cache
        def build(folder):
            (folder / "half").write_text("half")
            print("writing", flush=True)
            time.sleep(60)
        from_cache(Path(sys.argv[1]), build, list)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "key")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    cached(tmp_path / "other", write("x"))
    assert len(names(tmp_path)) == 2  # what a living process writes is left alone
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "key").exists()
    cached(tmp_path / "third", write("x"))
    assert names(tmp_path) == {"other", "third"}
    assert (cached(tmp_path / "key", write("x")) / "a").read_text() == "x"


def test_two_processes_build_once_between_them(tmp_path):
    code = """
        import sys, time
        from pathlib import Path
        from pentad.system.cache import from_cache
        def build(folder):
            time.sleep(0.3)
            (folder / "a").write_text("x")
            print("built")
        print(from_cache(Path(sys.argv[1]), build, lambda files: files.open("content/a").read().decode()))
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "key")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = sorted(process.communicate()[0] for process in running)
    assert answers == ["built\nx\n", "x\n", "x\n"]


def test_entries_can_be_made_where_there_are_no_locks(tmp_path, monkeypatch):
    monkeypatch.setattr("pentad.system.files.fcntl", None)

    def slow(folder):
        cached(tmp_path / "key", write("first"))
        write("second")(folder)

    assert (cached(tmp_path / "key", slow) / "a").read_text() == "first"
    assert names(tmp_path) == {"key"}


def test_the_fingerprint_tells_names_and_bytes(tmp_path):
    prints = set()
    for number, files in enumerate(({}, {"a": "x"}, {"b": "x"}, {"a": "y"}, {"a": "x", "b": ""}, {"ab": ""})):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        prints.add(folder_fingerprint(folder))
        assert folder_fingerprint(folder) in prints
    assert len(prints) == 6


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs to mount a small disk")
def test_a_disk_that_is_really_full(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("cannot mount")
    try:
        with raises_code("disk-full") as caught:
            cached(disk / "key", lambda folder: (folder / "a").write_bytes(bytes(1 << 20)) and None)
        assert "PENTAD_CACHE" in caught.value.hint
        assert names(disk) == set()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_an_entry_that_is_deleted_while_it_is_used_can_be_read_to_its_end(tmp_path):
    def use(files):
        shutil.rmtree(tmp_path)
        return files.open("content/sub/b").read()

    assert from_cache(tmp_path / "shards/key", write("x"), use) == b"x"


@pytest.mark.parametrize("moment", range(1, 12))
def test_an_entry_that_is_deleted_while_it_is_made_is_made_again(tmp_path, monkeypatch, moment):
    """At the first, second, … of the calls that write, everything is deleted."""
    left = [moment]

    def deleting(real):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                shutil.rmtree(tmp_path / "cache", ignore_errors=True)
            return real(*args, **kwargs)

        return call

    for name in ("open", "mkdir", "rename", "fsync"):
        monkeypatch.setattr(os, name, deleting(getattr(os, name)))
    found = from_cache(tmp_path / "cache/shards/key", write("x"), lambda files: files.open("content/a").read())
    assert found == b"x"


def test_a_cache_that_is_always_deleted_is_said(tmp_path):
    def use(files):
        raise FileNotFoundError

    with raises_code("cache-deleted") as caught:
        from_cache(tmp_path / "key", write("x"), use)
    assert "PENTAD_CACHE" in caught.value.hint
