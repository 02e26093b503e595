"""Tokenizers beside each other, without any model."""

from __future__ import annotations

from pentad_cli.charts import Figure, Look, figure
from pentad_cli.tools import count, size
from pentad_compare.measures.figures import TokenizerFigures
from pentad_compare.records import Comparison
from pentad_compare.report.charts.bars import draw_bars
from pentad_compare.report.charts.panels import Lengths, draw_lengths
from pentad_compare.report.numbers import percent
from pentad_compare.report.sections.parts import Block, Cell, Section, Table, all_looks

_MOST_LENGTHS = 16


def tokenizers(comparison: Comparison) -> Section | None:
    """Return the section, or None where no tokenizers were compared alone."""
    if not comparison.tokenizers:
        return None
    known = all_looks(comparison)
    done = [tokenizer for tokenizer in comparison.tokenizers if not tokenizer.failure]
    tables = [_table(comparison, known)]
    longest = [(known[tokenizer.label], tokenizer.longest) for tokenizer in done if tokenizer.longest]
    block = Block(figures=[*_compression(done, known), *_lengths(done, known)], tables=tables)
    return Section("tokenizers", "Tokenizers", _WORDS, [block], "tokens.html", {"longest": longest})


_WORDS = (
    "More bytes per token is not better by itself: a larger vocabulary makes a larger and slower model. "
    "Only bits per byte after training tells which tokenizer serves a model best."
)


def _compression(done: list[TokenizerFigures], known: dict[str, Look]) -> list[Figure]:
    values = sorted(((known[tokenizer.label], tokenizer.bytes_per_token) for tokenizer in done), key=lambda pair: -pair[1])
    if not values:
        return []
    title = f"{values[0][0].label} packs the most text into a token"
    return [
        figure(
            "compression", title, "Bytes of held-out text per token.", lambda width: draw_bars(width, values, "bytes per token")
        )
    ]


def _lengths(done: list[TokenizerFigures], known: dict[str, Look]) -> list[Figure]:
    histograms = [_shares(tokenizer, known[tokenizer.label]) for tokenizer in done if sum(tokenizer.lengths.values())]
    if not histograms:
        return []
    words = "Share of the tokens in held-out text by their length in bytes, in one scale; a bar with a gap is cut."
    return [figure("lengths", "How long the tokens are", words, lambda width: draw_lengths(width, histograms))]


def _shares(figures: TokenizerFigures, look: Look) -> Lengths:
    shares = [0.0] * _MOST_LENGTHS
    total = sum(figures.lengths.values())
    for length, tokens in figures.lengths.items():
        shares[min(max(int(length), 1), _MOST_LENGTHS) - 1] += tokens / total
    return Lengths(look, shares, figures.bytes_per_token)


def _table(comparison: Comparison, known: dict[str, Look]) -> Table:
    columns = ["Tokenizer", "Bytes per token", "Tokens per word", "Vocabulary", "Evenness", "Encoding", "Round trips"]
    rows = [_row(tokenizer, known[tokenizer.label]) for tokenizer in comparison.tokenizers]
    return Table("Tokenizers on held-out text", columns, rows)


def _row(figures: TokenizerFigures, look: Look) -> list[Cell]:
    if figures.failure:
        return [Cell(figures.label, look=look), Cell("failed", figures.failure, "bad long"), *[Cell("–")] * 5]
    lost = figures.round_trip_failures
    return [
        Cell(figures.label, look=look),
        Cell(f"{figures.bytes_per_token:.3f}", f"{count(figures.n_tokens)} tokens"),
        Cell(f"{figures.tokens_per_word:.2f}"),
        Cell(count(figures.vocab_size), f"{percent(figures.used)} used"),
        Cell(f"{figures.renyi_efficiency:.2f}", "Rényi efficiency"),
        Cell(f"{size(figures.encode_bytes_per_second)}/s", "on one thread"),
        Cell(f"{count(lost)} lost" if lost else "exact", css="bad" if lost else ""),
    ]
