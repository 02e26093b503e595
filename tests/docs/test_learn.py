from __future__ import annotations

import pytest


@pytest.mark.timeout(600)
def test_its_commands_work_in_order(reader, root):
    # The greedy continuations of the one learned sentence are compared to the letter, " language model" among them.
    page = root / "docs" / "learn.md"
    assert "$ engine generate runs/sentence" in page.read_text(encoding="utf-8")
    assert reader.read(page) >= 12
