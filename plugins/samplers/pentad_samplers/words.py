"""A ban on words that looks at the bytes of the text, so that no other cut into tokens gets around it.

After `bad_words_ids` of transformers (`NoBadWordsLogitsProcessor`), which forbids given sequences of tokens and lets the same
word pass where it is cut otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from pentad import Sampler, Tokenizer, UsageError, Vocabulary, tempered_softmax
from pentad_samplers.options import BannedWordsOptions


class BannedWords(Sampler):
    """Forbid each token with which the text, the end of the prompt included, would come to hold one of the words.

    The state of a sequence is the end of its text in bytes, as long as the beginning of a word can be.

    Raises:
        UsageError: a word is empty.
    """

    def __init__(self, options: BannedWordsOptions, *, tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
        words = _spellings(options.words) if options.any_case else options.words
        if not all(words):
            raise UsageError(
                "--sampler.words expects words, found an empty one.", "Is a variable of the shell empty?", code="empty-word"
            )
        banned = [word.encode() for word in dict.fromkeys(words)]
        contents = [tokenizer.token_bytes(token) for token in range(vocabulary.tokenizer_size)]
        self._contents = contents + [b""] * len(vocabulary.special)
        self._memory = max(map(len, banned), default=1) - 1
        self._always = self._tokens(content for content in banned if content)
        # The beginning of a word that the text may end with, to the tokens that begin with the rest of it.
        self._rests: dict[bytes, Tensor] = {}
        for word in banned:
            for cut in range(1, len(word)):
                following = torch.tensor([content.startswith(word[cut:]) for content in self._contents])
                if following.any():
                    known = self._rests.get(word[:cut])
                    self._rests[word[:cut]] = following if known is None else known | following

    def _tokens(self, words: Iterable[bytes]) -> Tensor:
        """Return which tokens (V,) hold one of the words whole."""
        held = list(words)
        return torch.tensor([any(word in content for word in held) for content in self._contents])

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return probabilities (B, V) behind a prompt (B, T)."""
        return self.constrained(logits, tokens, self.start(tokens))

    def start(self, tokens: Tensor) -> list[bytes]:
        """Return the end of each prompt (B, T)."""
        state = [b""] * len(tokens)
        for column in tokens[:, max(0, tokens.shape[1] - max(self._memory, 1)) :].T:
            state = self.advance(state, column)
        return state

    def constrained(self, logits: Tensor, tokens: Tensor, state: list[bytes]) -> Tensor:
        """Return the softmax (B, V) over the tokens that complete no word.

        Raises:
            UsageError: nothing else is possible, as another sampler of the chain left only such tokens.
        """
        del tokens
        banned = torch.stack([self._banned(end) for end in state]).to(logits.device)
        left = logits.masked_fill(banned, -math.inf)
        if bool((left.amax(dim=-1) == -math.inf).any()):
            raise UsageError(
                "banned-words must find a token that completes none of the words; found that all that are possible do.",
                "Put it first in the chain: --sampler banned-words+top-p.",
                code="nothing-to-draw",
            )
        return tempered_softmax(left)

    def _banned(self, end: bytes) -> Tensor:
        banned = self._always
        for length in range(1, len(end) + 1):
            rest = self._rests.get(end[-length:])
            banned = banned if rest is None else banned | rest
        return banned

    def advance(self, state: list[bytes], drawn: Tensor) -> list[bytes]:
        """Return the ends of the texts after tokens (B,) were drawn; a special token stands between two texts."""
        return [self._longer(end, self._contents[token]) for end, token in zip(state, drawn.tolist(), strict=True)]

    def _longer(self, end: bytes, content: bytes) -> bytes:
        return (end + content)[-self._memory :] if content and self._memory else b""


def _spellings(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(spelling for word in words for spelling in (word, word.lower(), word.upper(), word.capitalize()))
