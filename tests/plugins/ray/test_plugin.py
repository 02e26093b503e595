"""The executor is offered, its options are checked, and listing it imports neither torch nor ray."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pentad import UsageError
from pentad.config.options import parse
from pentad_ray.options import RayOptions


def test_listing_is_light():
    code = (
        "import sys\n"
        "from pentad import Catalogue\n"
        "offer = Catalogue().find('executor', 'ray')\n"
        "assert offer.distribution == 'pentad-ray', offer\n"
        "assert offer.options.__name__ == 'RayOptions'\n"
        "import pentad_ray.executor, pentad_ray.child\n"
        "assert not {'ray', 'torch'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_options_are_checked():
    assert parse(RayOptions, {}, "executor") == RayOptions()
    assert parse(RayOptions, {"num-gpus": "0.5", "num_cpus": "4"}, "executor") == RayOptions(num_gpus=0.5, num_cpus=4)
    for given in ({"num_gpus": "1.5"}, {"num_gpus": "-1"}, {"num_cpus": "0"}, {"max_retries": "-1"}):
        with pytest.raises(UsageError):
            parse(RayOptions, given, "executor")
