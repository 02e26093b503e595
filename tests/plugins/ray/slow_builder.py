"""A builder that is slow enough to be disturbed."""

from __future__ import annotations

import time

from pentad import Implementation, hookimpl


def _slow(options, **facts):
    from pentad_next_token.builder import NextToken

    class Slow(NextToken):
        def build(self, tokens, indices, seed):
            time.sleep(0.02)
            return super().build(tokens, indices, seed)

    return Slow(options, **facts)


@hookimpl
def engine_example_builders():
    return [Implementation(name="slow", summary="Next token, with time to kill.", factory=_slow)]
