"""What completion finds in `import pentad`."""

from __future__ import annotations

import pentad


def test_every_public_name_is_listed_also_before_it_is_imported():
    assert {"run", "Recipe", "open_run"} <= set(pentad.__all__) <= set(dir(pentad))
