"""Links, pipes and devices in the place of files: refused by name, never followed, never waited for."""

from __future__ import annotations

import os

import pytest

from pentad.system.files import is_whole, locked, read_json, write_atomically, write_whole
from pentad.system.opening import discard, list_files, open_plain, open_to_append, refuse_links, remove_at_once
from pentad.testing import raises_code

KINDS = {
    "a link": lambda path: path.symlink_to(path.with_name("target")),
    "a pipe": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
    "a device": lambda path: os.mknod(path, 0o20666, os.makedev(1, 3)),
}


@pytest.fixture(params=KINDS)
def planted(request, tmp_path):
    """Return the path of something that is no file, beside a text that must stay as it is, and what it is called."""
    (tmp_path / "target").write_text("mine")
    try:
        KINDS[request.param](tmp_path / "planted")
    except PermissionError:
        pytest.skip("needs the right to make devices")
    yield tmp_path / "planted", request.param
    assert (tmp_path / "target").read_text() == "mine"


@pytest.mark.parametrize("mode", ["rb", "ab", "wb", "r+b", "x"])
def test_only_plain_files_are_opened(planted, mode):
    path, kind = planted
    with raises_code("not-a-plain-file") as caught, open_plain(path, mode):
        pass
    assert f"{path} must be a plain file; found {kind}" in caught.value.message


def test_a_link_to_nothing_is_not_made_a_file(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "new")
    with raises_code("not-a-plain-file"), open_plain(tmp_path / "link", "w"):
        pass
    assert not (tmp_path / "new").exists()


def test_lines_are_added_to_no_hard_link(tmp_path):
    (tmp_path / "target").write_text("mine")
    os.link(tmp_path / "target", tmp_path / "linked")
    with raises_code("not-a-plain-file"):
        open_to_append(tmp_path / "linked")
    assert (tmp_path / "target").read_text() == "mine"
    with open_to_append(tmp_path / "alone") as file:
        file.write("a line")
    assert (tmp_path / "alone").read_text() == "a line"


def test_json_and_locks_are_plain_files(planted):
    with raises_code("not-a-plain-file"):
        read_json(planted[0])
    with raises_code("not-a-plain-file"), locked(planted[0]):
        pass


def test_a_lock_cuts_nothing(tmp_path):
    (tmp_path / "letter").write_text("mine")
    with locked(tmp_path / "letter"):
        pass
    assert (tmp_path / "letter").read_text() == "mine"


def test_a_half_that_lies_there_is_not_written_to(tmp_path):
    (tmp_path / "target").write_text("mine")
    (tmp_path / ".recipe.toml.part").symlink_to(tmp_path / "target")
    write_atomically(tmp_path / "recipe.toml", "new")
    assert (tmp_path / "target").read_text() == "mine" and (tmp_path / "recipe.toml").read_text() == "new"


def test_what_stands_for_a_folder_is_replaced_and_not_followed(planted):
    path, kind = planted
    if kind == "a link":
        path.unlink()
        path.symlink_to(path.parent, target_is_directory=True)
    write_whole(path, lambda folder: (folder / "a").write_text("x") and None)
    assert is_whole(path) and not path.is_symlink()


@pytest.mark.parametrize("where", ["", "deep/er"])
def test_a_link_however_deep_is_named(tmp_path, where):
    run = tmp_path / "run"
    (run / where).mkdir(parents=True)
    (run / where / "file").write_text("x")
    (tmp_path / "way").symlink_to(run)
    refuse_links(tmp_path / "way")  # the way to it may be a link
    for kind in ("a link", "a pipe"):
        KINDS[kind](run / where / "planted")
        with raises_code("not-a-plain-file") as caught:
            refuse_links(run)
        assert str(run / where / "planted") in caught.value.message and kind in caught.value.message
        (run / where / "planted").unlink()


def test_links_are_listed_and_not_followed(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list_files(tmp_path) == ["a/b", "loop"]


def test_removing_a_link_leaves_its_target(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("mine")
    for remove in (discard, remove_at_once):
        (tmp_path / "link").symlink_to(tmp_path / "folder")
        remove(tmp_path / "link")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]
    assert (tmp_path / "folder/file").read_text() == "mine"
    discard(tmp_path / "gone")
    remove_at_once(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["one", "one/two", "one/two/three", "one/two/three/file"])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_the_way_within_a_folder_is_looked_at_too(tmp_path, name, kind):
    real = tmp_path / "real"
    (real / "one/two/three").mkdir(parents=True)
    top = tmp_path / "top"
    top.symlink_to(real)  # the way to the outer folder may be a link
    refuse_links(top / "one/two/three", within=top)
    refuse_links(top / "one/none/three", within=top)
    path = top / name
    if path.is_dir():
        path.rename(tmp_path / "aside")
    path.symlink_to(tmp_path) if kind == "link" else path.write_text("")
    if kind == "file" and name.endswith("file"):
        refuse_links(top / "one/two/three", within=top)
        return
    with raises_code("not-a-plain-file"):
        refuse_links(top / "one/two/three", within=top)
