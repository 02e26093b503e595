"""The model's own distribution over what a grammar allows next: Willard and Louf, Efficient Guided Generation, 2023.

The library llguidance keeps the grammars and says which tokens go on with a text that can still match. Tokens are taken
as their bytes, so a character or a word may be cut anywhere. The grammar is about what is written; the prompt is not part of
it. A text may end where it matches as a whole, and must where nothing can follow. One that is cut off by the maximum of tokens
is only the beginning of a match.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper
from torch import Tensor

from pentad import Sampler, Tokenizer, UsageError, Vocabulary, tempered_softmax
from pentad_grammars.options import GrammarOptions, JsonSchemaOptions, RegexOptions


def regex(options: RegexOptions, *, tokenizer: Tokenizer, vocabulary: Vocabulary) -> Grammar:
    """Return the sampler of a regular expression.

    Raises:
        UsageError: the expression is invalid, or the file cannot be read.
    """
    return Grammar(LLMatcher.grammar_from_regex(_text(options.pattern, "pattern")), "pattern", tokenizer, vocabulary)


def json_schema(options: JsonSchemaOptions, *, tokenizer: Tokenizer, vocabulary: Vocabulary) -> Grammar:
    """Return the sampler of a JSON Schema.

    Raises:
        UsageError: the schema is invalid or asks for what cannot be held to, or the file cannot be read.
    """
    text = _text(options.schema, "schema")
    try:
        schema = json.loads(text)
        if not isinstance(schema, dict) and schema is not True:
            raise ValueError("a schema is an object, or true for any value")
    except ValueError as error:
        raise _invalid("schema", str(error)) from None
    found = LLMatcher.grammar_from_json_schema(
        {} if schema is True else schema, overrides={"whitespace_flexible": options.whitespace}
    )
    return Grammar(found, "schema", tokenizer, vocabulary)


def grammar(options: GrammarOptions, *, tokenizer: Tokenizer, vocabulary: Vocabulary) -> Grammar:
    """Return the sampler of a context-free grammar.

    Raises:
        UsageError: the grammar is invalid, or the file cannot be read.
    """
    return Grammar(LLMatcher.grammar_from_lark(_text(options.rules, "rules")), "rules", tokenizer, vocabulary)


class _Match:
    """How far one text has come in its match."""

    def __init__(self, matcher: LLMatcher, ended: bool = False) -> None:
        self.matcher, self.ended = matcher, ended

    def __deepcopy__(self, memo: dict[int, Any]) -> _Match:
        return _Match(self.matcher.deep_copy(), self.ended)


class Grammar(Sampler):
    """Draw only what goes on with a match. The state of a sequence is its match so far.

    Args:
        source: the grammar as llguidance takes it.
        option: where it comes from, for messages.
        tokenizer: with the bytes of each id.
        vocabulary: says which ids end a text.

    Raises:
        UsageError: the grammar is invalid.
    """

    def __init__(self, source: str, option: str, tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
        self._stops, self._size = vocabulary.stops, vocabulary.size
        pieces = TokenizerWrapper(_Pieces(tokenizer, vocabulary))
        known = LLTokenizer(pieces, n_vocab=vocabulary.size, eos_token=sorted(vocabulary.stops))
        self._matcher = LLMatcher(known, source, log_level=0)
        if self._matcher.is_error():
            raise _invalid(option, self._matcher.get_error())
        self._option = option

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return probabilities (B, V) of the first token."""
        return self.constrained(logits, tokens, self.start(tokens))

    def start(self, tokens: Tensor) -> list[_Match]:
        """Return a match that has nothing yet for each sequence (B), whatever the prompt says."""
        return [_Match(self._matcher.deep_copy()) for _ in range(len(tokens))]

    def constrained(self, logits: Tensor, tokens: Tensor, state: list[_Match]) -> Tensor:
        """Return the softmax (B, V) over what goes on with a match; over everything where the text has ended.

        Raises:
            UsageError: nothing that goes on with it is possible.
        """
        del tokens
        allowed = torch.stack([self._allowed(match) for match in state]).to(logits.device)  # (B, V)
        left = logits.masked_fill(~allowed, -math.inf)
        for row in (left.amax(dim=-1) == -math.inf).nonzero()[:, 0].tolist():
            raise self._dead_end(state[row], bool(allowed[row].any()))
        return tempered_softmax(left)

    def _allowed(self, match: _Match) -> Tensor:
        """Return which ids (V,) go on with a match."""
        if match.ended:
            return torch.ones(self._size, dtype=torch.bool)
        matcher = match.matcher
        found = torch.frombuffer(bytearray(matcher.compute_logit_bias()), dtype=torch.uint8) > 0
        if matcher.is_error() or (matcher.is_stopped() and not matcher.is_accepting()):  # nothing matches the grammar
            found = torch.zeros_like(found)
        return torch.nn.functional.pad(found, (0, self._size - len(found)))

    def advance(self, state: list[_Match], drawn: Tensor) -> list[_Match]:
        """Return the matches after tokens (B,) were drawn.

        Raises:
            UsageError: a token was drawn that does not go on with a match.
        """
        for match, token in zip(state, drawn.tolist(), strict=True):
            if token in self._stops:
                match.ended = True
            if not match.ended and not match.matcher.consume_token(token):
                raise self._dead_end(match, True)
        return state

    def _dead_end(self, match: _Match, something: bool) -> UsageError:
        reason = _words(match.matcher.get_error())
        if match.matcher.is_accepting() and something:
            hint = "Leave out --min-new-tokens and --ignore-end-of-text; in a chain, name this sampler first."
        elif something:
            hint = "In a chain, name this sampler first: --sampler regex+temperature."
        else:
            hint = f"Change --sampler.{self._option}, or use a run whose tokenizer has the bytes: --tokenizer byte or bpe."
        return UsageError(
            f"A text that matches --sampler.{self._option} must be able to go on or to end; found no token that does."
            + (f" ({reason})" if reason else ""),
            hint,
            code="grammar-dead-end",
        )


class _Pieces:
    """A tokenizer as llguidance asks for it."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
        self._tokenizer = tokenizer
        self.eos_token_id, self.bos_token_id = vocabulary.end_of_text, None
        contents = [tokenizer.token_bytes(token) for token in range(vocabulary.tokenizer_size)]
        contents += [b""] * len(vocabulary.special)
        # What stands for no text has a name in place of bytes, and is no part of any match.
        self.tokens = [content or f"<|{token}|>".encode() for token, content in enumerate(contents)]
        self.special_token_ids = [token for token, content in enumerate(contents) if not content]

    def __call__(self, text: str) -> list[int]:
        if not isinstance(text, str):  # llguidance tries bytes first
            raise TypeError("a text is encoded, not bytes")
        return [int(token) for token in self._tokenizer.encode(text)]


def _text(given: str, option: str) -> str:
    """Return an option's text, or that of the file behind an @."""
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(
            f"--sampler.{option} expects a file behind the @; {given[1:]}: {reason}.",
            "Correct the path.",
            code="file-not-readable",
        ) from None


def _invalid(option: str, reason: str) -> UsageError:
    return UsageError(f"--sampler.{option} must be valid; found: {_words(reason)}", "Correct it.", code="grammar-invalid")


def _words(text: str) -> str:
    """Return what a message of llguidance says, without the excerpt and the state behind it."""
    words = text.partition("<state>")[0].split()
    return " ".join(words)[:300]
