"""Every error has a code, and `messages.txt` shows them all."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

_HERE = Path(__file__).parent
_SPEC = importlib.util.spec_from_file_location("refresh_messages", _HERE / "refresh.py")
refresh = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(refresh)


def test_every_error_names_its_code_in_letters():
    sites = refresh.sites()
    assert len(sites) > 100
    assert [site for site in sites if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", site.code)] == []


def test_a_code_is_always_of_one_class():
    """The class says the exit code, so a script may go by either."""
    classes: dict[str, set[str]] = {}
    for site in refresh.sites():
        classes.setdefault(site.code, set()).add(site.error)
    assert {code: found for code, found in classes.items() if len(found) > 1} == {}


def test_the_messages_are_those_of_the_golden_file():
    shown = refresh.MESSAGES.read_text(encoding="utf-8")
    assert shown == refresh.page(), "If the new words are meant: python tests/golden/refresh.py"
