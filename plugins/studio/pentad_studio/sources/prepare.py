"""Trains a tokenizer in a process of its own, so that it is in the cache: what to train comes on stdin."""

from __future__ import annotations

import sys

from pentad import Catalogue
from pentad_studio.server.elsewhere import answer
from pentad_studio.sources.tokenizers import TokenizerChoice, trained

if __name__ == "__main__":
    sys.exit(answer(lambda said: trained(TokenizerChoice(**said), Catalogue())))
