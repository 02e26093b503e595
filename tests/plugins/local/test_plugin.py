"""The executor is offered by a distribution of its own, and listing it imports no torch."""

from __future__ import annotations

import subprocess
import sys


def test_listing_is_light():
    code = (
        "import sys\n"
        "from pentad import Catalogue\n"
        "offer = Catalogue().find('executor', 'local')\n"
        "assert offer.distribution == 'pentad-local', offer\n"
        "import pentad_local.executor\n"
        "assert not {'torch', 'pentad_compare.work'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
