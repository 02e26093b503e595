"""The pictures of the pages are those that the script draws from the data beside them."""

from __future__ import annotations

import importlib.util
import json
import re
from xml.etree import ElementTree

import pytest


@pytest.fixture(scope="module")
def script(root):
    spec = importlib.util.spec_from_file_location("pictures", root / "docs" / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_they_are_up_to_date(script, root):
    for name, picture in script.pictures(json.loads(script.DATA.read_text(encoding="utf-8"))).items():
        assert (script.FOLDER / name).read_text(encoding="utf-8") == str(picture), f"{name}: python docs/pictures.py"


def test_every_picture_is_shown_and_is_an_image(root):
    pages = "".join(page.read_text(encoding="utf-8") for page in [root / "README.md", *root.glob("docs/*.md")])
    shown = set(re.findall(r"pictures/([\w-]+\.svg)", pages))
    assert shown == {path.name for path in root.glob("docs/pictures/*.svg")}
    for path in root.glob("docs/pictures/*.svg"):
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_attention_looks_back_only_and_sums_to_one(script):
    weights = json.loads(script.DATA.read_text(encoding="utf-8"))["attention"]["weights"]
    for row, line in enumerate(weights):
        assert sum(line) == pytest.approx(1, abs=0.02) and not any(line[row + 1 :])
