"""The options of every sampler of this distribution; light, so that listing them imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class RegexOptions:
    """Options of the sampler of a regular expression."""

    pattern: str = option(
        "(?s:.*)",
        "What the whole text must match: a regular expression without look-around and back-references (Rust's syntax), or "
        "@FILE. The default matches any text.",
    )


@dataclass(frozen=True, kw_only=True)
class JsonSchemaOptions:
    """Options of the sampler of a JSON Schema."""

    schema: str = option("{}", "The JSON Schema of the value that the text must be, or @FILE. The default is any JSON value.")
    whitespace: bool = option(False, "Whether whitespace may stand between the parts of the value.")


@dataclass(frozen=True, kw_only=True)
class GrammarOptions:
    """Options of the sampler of a context-free grammar."""

    rules: str = option(
        "start: /(?s:.*)/",
        "The rules of the grammar in the syntax of Lark, of which `start` derives the whole text, or @FILE. The default "
        "derives any text.",
    )
