from __future__ import annotations

import re

from pentad.config.options import describe
from pentad.config.tables import TABLES
from pentad_cli.commands.generate import generate
from pentad_cli.commands.run import run


def test_its_commands_work(reader, root):
    assert reader.read(root / "docs" / "troubleshooting.md") == 2


def test_its_flags_are_flags(root):
    text = (root / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    known = {flag for command in (run, generate) for flag in command.flags_with_value()}
    known |= {flag for command in (run, generate) for param in command.params for flag in param.opts}
    known |= {f"--{spec.name.replace('_', '-')}" for table in TABLES.values() for spec in describe(table)}
    named = {flag for flag in re.findall(r"(?<![\w-])--[a-z][a-z.-]+", text) if "." not in flag}
    assert len(named) > 10 and named <= known
