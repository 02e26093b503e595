from __future__ import annotations


def test_its_commands_work_in_order(reader, root):
    assert reader.read(root / "docs" / "tokenizers.md") == 3
