"""Infinities and NaN are removed before anything is drawn: a report must not fail over one odd run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pentad_compare.records import Point

Record = TypeVar("Record")


def finite(record: Record) -> Record:
    """Return a record without infinities and NaN: None where that may stand, else 0; points on a curve are left out."""
    fields = [field for field in dataclasses.fields(record) if field.name != "recipe"]  # type: ignore[arg-type]
    values = {field.name: _finite(getattr(record, field.name), "None" in str(field.type)) for field in fields}
    return dataclasses.replace(record, **values)  # type: ignore[type-var]


def _finite(value: Any, optional: bool) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None if optional else 0.0
    if dataclasses.is_dataclass(value):
        return finite(value)
    if isinstance(value, Mapping):
        return {key: _finite(item, optional) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item, optional) for item in value if not (isinstance(item, Point) and not math.isfinite(item.score))]
    return value
