"""Cut a text where no piece goes on, so that nothing changes: sentencepiece is slow on long texts, and worse when it learns."""

from __future__ import annotations

import re
from collections.abc import Iterator

CHUNK = 2000
"""Characters after which the next space ends a part. Encoding with merges is three times as fast as on a whole book."""

LONGEST_RUN = 1024
"""In training, longer runs of spaces or of other characters are cut too."""

RUN_CHARACTERS = 400_000
"""In training, so many characters of passages without white space are all taken; of the next twice as many half, and so on."""

_SPACELESS = re.compile(r"\S{65,}")

# No piece goes on over a space.
_BEFORE_SPACE = re.compile("[^ ](?= )")
_RUN = re.compile(rf"(?<![^ ])[^ ]{{{LONGEST_RUN},}}|(?<! ) {{{LONGEST_RUN},}}")


def chunks(text: str) -> Iterator[str]:
    """Yield the text in parts that encode to the same ids as the whole, cut before spaces."""
    start = 0
    while cut := _BEFORE_SPACE.search(text, start + CHUNK):
        yield text[start : cut.end()]
        start = cut.end()
    yield text[start:]


def short_parts(text: str) -> Iterator[str]:
    """Yield the text in parts of a few thousand characters at most, for training; long runs are cut where it falls.

    Unigram's time to find its first pieces is the length of the text times that of the longest passage that stands in it
    twice, and a passage ends where a part ends.
    """
    start = 0
    for run in _RUN.finditer(text):
        for cut in range(run.start() + LONGEST_RUN, run.end(), LONGEST_RUN):
            yield from chunks(text[start:cut])
            start = cut
    if start < len(text):
        yield from chunks(text[start:])


class Thinner:
    """Leaves out more and more of a long text in a script without white space, evenly within each stretch.

    Its passages hardly repeat, so that each character costs the trainer as much as a whole word of English: 10 million took
    more than four minutes. What is taken depends on the text alone, and grows with the logarithm of its length.
    """

    def __init__(self) -> None:
        self._seen = self._number = 0

    def takes(self, part: str) -> bool:
        """Say whether to learn from a part; always where most of it has white space."""
        if 2 * sum(run.end() - run.start() for run in _SPACELESS.finditer(part)) <= len(part):
            return True
        step = 1 << max(0, ((self._seen // RUN_CHARACTERS + 1).bit_length() - 1))
        self._seen += len(part)
        self._number += 1
        return self._number % step == 0
