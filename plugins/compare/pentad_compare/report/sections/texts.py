"""Generated texts: figures of them beside those of human text, and the texts themselves side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pentad_cli.charts import Figure, Look, figure
from pentad_cli.tools import size
from pentad_compare.measures.figures import SamplerFigures, Text, TextFigures
from pentad_compare.records import Comparison
from pentad_compare.report.charts.panels import Panel, draw_panels
from pentad_compare.report.numbers import percent
from pentad_compare.report.sections.parts import Block, Cell, Section, Table, all_looks

HUMAN = "human text"

_FIGURES: tuple[tuple[str, Callable[[TextFigures], float | None], bool], ...] = (
    ("Repetition", lambda figures: figures.repetition, True),
    ("Different pairs of words (distinct-2)", lambda figures: figures.distinct_2, True),
    ("Bits per byte under the model", lambda figures: figures.bits_per_byte, False),
    ("Verbatim from the training text", lambda figures: figures.verbatim, True),
)


@dataclass(frozen=True)
class Writer:
    """Who wrote texts: an arm with a sampler, or humans."""

    label: str
    look: Look | None
    texts: Sequence[str]


def _writers(comparison: Comparison) -> list[tuple[Look, SamplerFigures]]:
    """Return every arm with every sampler; the sampler is the name where there is one arm, the arm where one sampler."""
    pairs = [(arm.label, written) for arm in comparison.arms for written in arm.samplers]
    arms, samplers = {label for label, _ in pairs}, {written.sampler for _, written in pairs}
    if len(samplers) < 2:
        known = all_looks(comparison)
        return [(known[label], written) for label, written in pairs]
    names = [written.sampler if len(arms) < 2 else f"{label}, {written.sampler}" for label, written in pairs]
    return [(Look(name, index), written) for index, (name, (_, written)) in enumerate(zip(names, pairs, strict=True))]


def figures(comparison: Comparison) -> Section | None:
    """Return the section of figures, or None where no texts were measured."""
    writers = [(look, written) for look, written in _writers(comparison) if written.figures.n_texts]
    if not writers:
        return None
    passages = [(look, written.figures.longest_text) for look, written in writers if written.figures.longest_text]
    extra = {"passages": passages}
    block = Block(figures=[_panels(comparison, writers)], tables=[_table(comparison, writers)])
    words = "What tells generated text from human text. Nearer to the human figure is better, not lower or higher."
    return Section("samplers", "Generated text in figures", words if comparison.human else "", [block], "passages.html", extra)


def _panels(comparison: Comparison, writers: list[tuple[Look, SamplerFigures]]) -> Figure:
    drawn = []
    for title, read, share in _FIGURES:
        values = [read(written.figures) for _, written in writers]
        by_seed = [[read(figures) for figures in written.by_seed.values()] for _, written in writers]
        seeds = [[value for value in row if value is not None] for row in by_seed]
        human = read(comparison.human) if comparison.human else None
        if any(value is not None for value in values):
            drawn.append(Panel(title, values, seeds, human, share))
    words = "Marks: all texts; dots: single seeds." + (" Dashed line: held-out human text." if comparison.human else "")
    known = [look for look, _ in writers]
    title = "How generated text differs from human text" if comparison.human else "Generated text"
    return figure("texts", title, words, lambda width: draw_panels(width, known, drawn))


def _table(comparison: Comparison, writers: list[tuple[Look, SamplerFigures]]) -> Table:
    columns = ["Text", "Repetition", "Distinct 1-, 2-, 3-grams", "Bits per byte", "Verbatim", "Longest verbatim", "Texts"]
    rows = [[Cell(HUMAN), *_cells(comparison.human)]] if comparison.human else []
    rows += [[Cell(look.label, look=look), *_cells(written.figures)] for look, written in writers]
    return Table("Figures of generated text", columns, rows)


def _cells(figures: TextFigures) -> list[Cell]:
    return [
        Cell(percent(figures.repetition)),
        Cell(" / ".join(percent(share) for share in (figures.distinct_1, figures.distinct_2, figures.distinct_3))),
        Cell("–" if figures.bits_per_byte is None else f"{figures.bits_per_byte:.3f}"),
        Cell(percent(figures.verbatim), "" if figures.verbatim is None else f"passages from {figures.verbatim_bytes} bytes"),
        Cell("–" if figures.longest_verbatim is None else size(figures.longest_verbatim)),
        Cell(str(figures.n_texts)),
    ]


def texts(comparison: Comparison) -> Section | None:
    """Return the section of texts, or None where there are none."""
    writers = _writers(comparison)
    prompts = list(dict.fromkeys(text.prompt for _, written in writers for text in written.texts))
    if not prompts:
        return None
    by_prompt = [(prompt, _of_prompt(comparison, writers, prompt)) for prompt in prompts]
    words = "The same prompts for all; each text continues its prompt."
    return Section("texts", "Samples side by side", words, template="texts.html", extra={"prompts": by_prompt})


def _of_prompt(comparison: Comparison, writers: list[tuple[Look, SamplerFigures]], prompt: str) -> list[Writer]:
    """Return who wrote what after a prompt, humans first."""
    human = Writer(HUMAN, None, _after(comparison.human_texts, prompt))
    all_writers = [human, *(Writer(look.label, look, _after(written.texts, prompt)) for look, written in writers)]
    return [writer for writer in all_writers if writer.texts]


def _after(texts: Sequence[Text], prompt: str) -> list[str]:
    return [text.text for text in texts if text.prompt == prompt]
