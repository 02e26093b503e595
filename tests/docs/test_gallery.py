from __future__ import annotations

import pytest


@pytest.mark.timeout(600)
def test_its_commands_work_in_order(reader, root):
    assert reader.read(root / "docs" / "gallery.md") == 12
