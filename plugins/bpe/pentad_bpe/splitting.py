r"""How text is cut into words, inside which pairs merge: one pattern for the trainer's engine, an equal one for tiktoken's.

`gpt2` is the pattern of GPT-2 (Radford et al., 2019), `cl100k` and `o200k` those of OpenAI's later vocabularies, as the package
tiktoken publishes them. `fast` has no look-ahead, which makes tiktoken twice as fast; a run of white space is one word in it.
`none` cuts nowhere.

The spellings differ because the engines do. Possessive repeats (`++`) mean another thing to Oniguruma; without them
tiktoken's engine is slower and runs out of stack sooner. `\s*[\r\n]+` is spelled `(?:[^\S\r\n]*+[\r\n]++)++` for it: up to
the last line end of the white space, without trying all of it first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

PATTERNS = ("fast", "gpt2", "cl100k", "o200k", "none")

_SAFE_LENGTH = 512 * 1024
_SPACE = r"[^\S\x1c-\x1f]"  # Unicode's White_Space, as in tiktoken; Python's \s holds four control characters more
_LONG_SPACE = re.compile(f"(?<!{_SPACE}){_SPACE}{{{_SAFE_LENGTH // 2},}}")

_CASE = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ENDING = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_OTHER = r" ?[^\s\p{L}\p{N}]+[\r\n/]*"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_SPACES_FAST = r"(?:[^\S\r\n]*+[\r\n]++)++|\s++$|\s+(?!\S)|\s"

_LIBRARY = {
    "fast": r"'(?:[sdmt]|ll|ve|re)| ?[\p{L}\p{M}]+| ?\p{N}{1,MAX}| ?[^\s\p{L}\p{M}\p{N}]+|\s+",
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "cl100k": rf"{_ENDING}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,MAX}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_SPACES}",
    "o200k": rf"{_CASE}*{_LOWER}+{_ENDING}?|{_CASE}+{_LOWER}*{_ENDING}?|\p{{N}}{{1,MAX}}|{_OTHER}|{_SPACES}",
    "none": "",
}
_TIKTOKEN = {
    "fast": _LIBRARY["fast"],
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    "cl100k": rf"{_ENDING}|[^\r\n\p{{L}}\p{{N}}]?+\p{{L}}++|\p{{N}}{{1,MAX}}+| ?[^\s\p{{L}}\p{{N}}]++[\r\n]*+|{_SPACES_FAST}",
    "o200k": _LIBRARY["o200k"].replace(_SPACES, _SPACES_FAST),
    "none": "(?s:.+)",
}


class SplitPattern(NamedTuple):
    """A way of cutting text into words.

    Args:
        name: one of `PATTERNS`.
        library: the expression as Hugging Face's `tokenizers` takes it; empty for `none`.
        tiktoken: the same as tiktoken takes it.
    """

    name: str
    library: str
    tiktoken: str

    @property
    def looks_ahead(self) -> bool:
        """Whether the last character of white space goes with the word behind it, which takes a look ahead."""
        return self.name not in ("fast", "none")

    @property
    def takes_line_ends(self) -> bool:
        """Whether a word may hold what stands before a line end, and the line end."""
        return self.name in ("cl100k", "o200k")

    def safe_pieces(self, text: str) -> Iterator[str]:
        """Cut a long text where no id changes, so that no run of white space overflows the stack of tiktoken's matcher.

        A pattern that looks ahead takes a run of white space but its last character when a word follows, and the whole run at
        the end of a text. So a cut right before the run's last character leaves the ids as they were; where line ends count, so
        does one behind the run's last line end.
        """
        start = 0
        if self.looks_ahead and len(text) > _SAFE_LENGTH:
            for run in _LONG_SPACE.finditer(text):
                for end in self._cuts(text, run.start(), run.end()):
                    yield text[start:end]
                    start = end
        yield text[start:]

    def _cuts(self, text: str, start: int, end: int) -> Iterator[int]:
        if not self.takes_line_ends:
            if end < len(text):
                yield end - 1
            return
        line_end = max(text.rfind("\n", start, end), text.rfind("\r", start, end)) + 1
        if start < line_end < end - 1:
            yield line_end
        if line_end < end - 1 and end < len(text):
            yield end - 1


CL100K_IN_TIKTOKEN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
"""How tiktoken 0.14 spells `cl100k`. Not quite the pattern as it was first published: white space with a line end in it is one
word at the end of a text."""


def pattern_of(name: str, max_digits: int = 3) -> SplitPattern:
    """Return a pattern by its name.

    Args:
        name: one of `PATTERNS`.
        max_digits: how many digits a word may have, for all but `gpt2` and `none`, which do not count them.
    """
    return SplitPattern(name, *(table[name].replace("MAX", str(max_digits)) for table in (_LIBRARY, _TIKTOKEN)))


def known_pattern(library: str) -> SplitPattern:
    """Return the pattern that the library's expression is.

    Raises:
        ValueError: it is none of them.
    """
    digits = re.search(r"\\p\{N\}\{1,([1-9][0-9]?)\}", library)
    for name in PATTERNS:
        found = pattern_of(name, int(digits[1]) if digits else 3)
        if library and found.library == library:
            return found
    raise ValueError(f"it cuts words by the unknown pattern {library!r}")
