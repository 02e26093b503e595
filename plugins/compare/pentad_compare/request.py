"""What a command line of `engine compare` asks for, between the flags (`command`) and the work (`session`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pentad import Catalogue
from pentad.tools import Offer
from pentad_cli.tools import SpecOption, Tables
from pentad_compare.arms import Axis


@dataclass
class Request:
    """What a command line asks for, before the arms are made."""

    catalogue: Catalogue
    plugins: tuple[Path, ...]
    tables: Tables
    names: Mapping[str, Sequence[str]]
    named: tuple[str, ...]
    executor: Offer[Any]
    params: list[SpecOption] = field(default_factory=list)
    axes: list[Axis] = field(default_factory=list)
    executor_options: Any = None
    arguments: Sequence[str] = ()
