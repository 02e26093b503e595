from __future__ import annotations


def test_its_command_works(reader, root):
    assert reader.read(root / "docs" / "gpu.md") == 1
