"""One JSON file holds a trained tokenizer of this distribution."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pentad import EngineError

_FORMAT = 1


def write(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Write `NAME.json` into a folder: ASCII, so that no editor changes it."""
    (folder / f"{name}.json").write_text(json.dumps({"format": _FORMAT, **content}) + "\n", encoding="ascii", newline="\n")


def read(folder: Path, name: str) -> dict[str, Any]:
    """Return what `write` wrote.

    Raises:
        EngineError: the file is missing, or no such JSON.
    """
    path = folder / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(
            f"Expected a saved {name} tokenizer at {path}: {error.strerror}.", "Check the folder.", code="saved-file-unreadable"
        ) from None
    except (ValueError, RecursionError):
        raise damaged(folder, name, "it is no JSON") from None
    if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
        raise damaged(folder, name, f"its format is not {_FORMAT}")
    return content


def damaged(folder: Path, name: str, problem: str) -> EngineError:
    """Return the error for a file that is not as it was written."""
    return EngineError(
        f"The saved {name} tokenizer in {folder} is damaged or from a newer version: {problem}.",
        "Train it again.",
        code="tokenizer-damaged",
    )


def untrained(name: str) -> EngineError:
    """Return the error for use before training."""
    return EngineError(
        f"The {name} tokenizer has no vocabulary yet.", "Train it on text, or load a saved one.", code="tokenizer-untrained"
    )
