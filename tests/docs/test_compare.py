from __future__ import annotations

import pytest


@pytest.mark.timeout(600)
def test_its_commands_work_in_order(reader, root):
    assert reader.read(root / "docs" / "compare.md") == 3
    reports = sorted(path.parent.name.rsplit("-", 1)[0] for path in reader.folder.glob("here/comparisons/*/report.html"))
    assert reports == ["sampler", "tokenizer"]
