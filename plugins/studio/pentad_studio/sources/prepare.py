"""Trains a tokenizer in a process of its own: what to train comes on stdin, an error goes to stdout."""

from __future__ import annotations

import json
import sys

from pentad import Catalogue, EngineError
from pentad_studio.sources.tokenizers import TokenizerChoice, trained


def main() -> int:
    """Train, so that the tokenizer is in the cache."""
    try:
        trained(TokenizerChoice(**json.loads(sys.stdin.buffer.read())), Catalogue())
    except EngineError as error:
        print(json.dumps({"message": error.message, "hint": error.hint, "code": error.code}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
