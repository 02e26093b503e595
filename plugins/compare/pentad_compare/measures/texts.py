"""Generated texts, measured like held-out ones: repetition, variety, bits per byte, and copies of the training text.

Repetition and variety depend on how long a text is, and tokens are not equally long in two tokenizers. So every text, human
ones included, is cut to the same number of bytes before it is measured; only a text that its model ended earlier is shorter.
Cutting all texts of a prompt to the shortest of them would let one that ends after a word take the others with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pentad import Choice, SavedRun
from pentad.tools import Pieces, bits_per_byte
from pentad_compare.measures.figures import Text, TextFigures
from pentad_compare.measures.verbatim import LEAST_BYTES, SuffixArray

PROMPT_BYTES = 64
TEXT_BYTES = 512
REPETITION_WORDS = 4

_WORD = re.compile(r"\w+|[^\w\s]")

_Slot = tuple[int, int]  # the number of a piece, and the byte in it at which a prompt is looked for


# Prompts


def prompts_from(
    held_out: Pieces, n: int, *, prompt_bytes: int = PROMPT_BYTES, text_bytes: int = TEXT_BYTES, tails: bool = False
) -> list[Text]:
    """Take prompts from held-out text, each with the human text that continues it.

    They are the beginnings of documents, spread evenly over the text; where there are fewer than `n` documents that are long
    enough, also places within them, side by side and at the beginnings of words. The same text gives the same prompts. Where
    the text is too short for `n` there are fewer; where no document is long enough, the longest one is cut in two.

    Args:
        held_out: the text, read twice, in bounded memory.
        n: prompts wanted.
        prompt_bytes: about how long a prompt is; it ends with a word.
        text_bytes: how long the text after it is, at the most.
        tails: whether the documents are tails of longer ones, which may begin within a word.
    """
    size = prompt_bytes + text_bytes
    lengths, begins = _survey(held_out)
    slots = [(number, 0) for number, length in enumerate(lengths) if begins[number] and length >= size]
    if len(slots) < n:
        room = size + prompt_bytes  # as the place moves on to a word
        fit = [(number, length) for number, length in enumerate(lengths) if length >= size]
        slots = [(number, start) for number, length in fit for start in range(0, max(length - room, 0) + 1, room)]
    if not slots and any(lengths):
        longest = max(lengths)
        slots, prompt_bytes = [(lengths.index(longest), 0)], min(prompt_bytes, longest // 2)
    chosen = {slots[index] for index in np.linspace(0, len(slots) - 1, min(n, len(slots))).astype(int)}
    within = {(number, start) for number, start in chosen if start or tails or not begins[number]}
    return list(_cut_out(held_out, chosen, within, prompt_bytes, text_bytes))


def _survey(held_out: Pieces) -> tuple[list[int], list[bool]]:
    """Return the bytes of every piece, and whether it begins a document."""
    lengths, begins, begin = [], [], True
    for piece in held_out.pieces():
        lengths.append(len(piece.text.strip().encode()))
        begins.append(begin)
        begin = piece.ends_document
    return lengths, begins


def _cut_out(held_out: Pieces, slots: set[_Slot], within: set[_Slot], prompt_bytes: int, text_bytes: int) -> Iterator[Text]:
    """Yield the text at each slot; a slot `within` a document may be inside a word and moves to the next one."""
    starts: dict[int, list[int]] = {}
    for number, start in sorted(slots):
        starts.setdefault(number, []).append(start)
    for number, piece in enumerate(held_out.pieces()):
        for start in starts.get(number, ()):
            data = piece.text.strip().encode()[start : start + 2 * prompt_bytes + text_bytes]
            passage = data.decode(errors="ignore")  # the slot may be inside a character
            passage = passage[_word_begin(cut(passage, prompt_bytes)) if (number, start) in within else 0 :]
            prompt = passage[: _word_end(passage, len(cut(passage, prompt_bytes)))]
            yield Text(prompt=prompt, text=cut(passage[len(prompt) :], text_bytes))


def _word_begin(text: str) -> int:
    """Return where the first word begins that is surely whole; 0 where there is none."""
    match = re.search(r"\s(?=\S)", text)
    return match.end() if match else 0


def _word_end(text: str, most: int) -> int:
    """Return the last end of a word within `most` characters, or `most` where there is none."""
    ends = [match.start() for match in re.finditer(r"(?<=\S)(?=\s)", text[: most + 1])]
    return ends[-1] if ends else most


def cut(text: str, n_bytes: int) -> str:
    """Return the first bytes of a text, as many whole characters as fit.

    >>> cut("aéé", 4)
    'aé'
    """
    return text.encode()[:n_bytes].decode(errors="ignore")


# What a trained model writes, and how probable it finds a text


def write_texts(
    run: SavedRun, samplers: Sequence[Choice], prompts: Sequence[str], *, max_tokens: int, seed: int, n_bytes: int | None = None
) -> list[list[Text]]:
    """Let every sampler continue every prompt.

    Prompt number i draws the same random numbers with each sampler, and others than the other prompts. The texts do not depend
    on `n_bytes`, which only cuts them.

    Args:
        run: a trained model.
        samplers: names with options.
        prompts: plain texts.
        max_tokens: maximum tokens of each text.
        seed: decides every draw.
        n_bytes: stop there, and cut the text to it; to give texts of different tokenizers the same length, `max_tokens` must
            not be reached before (with `max_tokens=n_bytes` it never is).

    Returns:
        Per sampler, a text per prompt.

    Raises:
        UsageError: a sampler or its options are unknown, or the model cannot generate.
        EngineError: a sampler returns no distribution.
    """
    first = max_tokens if n_bytes is None else min(max_tokens, _tokens_for(run, prompts, n_bytes))
    return [
        [
            Text(prompt=prompt, text=_write(run, choice, prompt, _own_seed(seed, number), first, max_tokens, n_bytes))
            for number, prompt in enumerate(prompts)
        ]
        for choice in samplers
    ]


def _own_seed(seed: int, number: int) -> int:
    """Return a prompt's seed: the engine's generators are keyed by 64 bits, and users' seeds are small."""
    return seed + (number << 40)


def _tokens_for(run: SavedRun, prompts: Sequence[str], n_bytes: int) -> int:
    """Guess how many tokens make so many bytes, from the prompts', with a fifth to spare."""
    ids = sum(len(run.tokenizer.encode(prompt)) for prompt in prompts)
    return math.ceil(1.2 * n_bytes * ids / max(sum(len(prompt.encode()) for prompt in prompts), 1)) or n_bytes


def _write(run: SavedRun, choice: Choice, prompt: str, seed: int, limit: int, max_tokens: int, n_bytes: int | None) -> str:
    while True:
        (sample,) = run.generate(prompt, max_tokens=limit, sampler=choice, seed=seed)
        ended = len(sample.tokens) < limit
        if n_bytes is None:
            return sample.text
        settled = sample.text.rstrip("\ufffd")  # of a character that is not whole, which the next token may end
        if ended or limit == max_tokens or len(settled.encode()) >= n_bytes:
            return cut(sample.text, n_bytes)
        limit = min(max_tokens, 2 * limit)  # the same seed writes the same again, and more


def bits_per_byte_of(run: SavedRun, texts: Iterable[Text]) -> list[float | None]:
    """Return the bits per byte of each text under a model, given its prompt; None for an empty text.

    The model reads an end of text, the prompt and the text; each token of the text is scored once, so each of its bytes is.
    See `pentad.Session.score`.

    Raises:
        UsageError: the model is bidirectional, so it gives no probability of a text.
    """
    return [_bits_per_byte(run, text) if text.text else None for text in texts]


def _bits_per_byte(run: SavedRun, text: Text) -> float:
    score = run.session.score(text.text, text.prompt)
    return bits_per_byte(score.nats, score.n_bytes, score.lost_bytes)


# Figures


def figures(
    texts: Sequence[str],
    *,
    scores: Sequence[float | None] | None = None,
    training: SuffixArray | None = None,
    verbatim_bytes: int = LEAST_BYTES,
    n_bytes: int | None = None,
) -> TextFigures:
    """Measure texts.

    Words are runs of letters, digits and underscores; every other visible character is a word of its own. A text with fewer
    than four words has no share of repetition, and an empty one no bits per byte: they do not count in those means. Variety
    falls with the number of texts: compare equally many.

    Args:
        texts: without their prompts.
        scores: bits per byte of each of them, as `bits_per_byte_of` returns them.
        training: the training text; None where it is not searched.
        verbatim_bytes: shorter passages from the training text do not count.
        n_bytes: cut the texts to it first; `scores` must be those of the cut texts.
    """
    texts = [text if n_bytes is None else cut(text, n_bytes) for text in texts]
    words = [_WORD.findall(text) for text in texts]
    raw = [text.encode() for text in texts]
    passage = max((training.longest(text) for text in raw), key=len, default=b"") if training else b""
    return TextFigures(
        n_texts=len(texts),
        repetition=_mean([repetition(text) for text in words]) or 0.0,
        distinct_1=distinct(words, 1),
        distinct_2=distinct(words, 2),
        distinct_3=distinct(words, 3),
        bits_per_byte=_mean(scores or ()),
        verbatim=_mean([training.share(text, verbatim_bytes) for text in raw]) if training else None,
        verbatim_bytes=verbatim_bytes,
        longest_verbatim=len(passage) if training else None,
        longest_text=passage.decode(errors="ignore"),  # it may begin or end within a character
    )


def repetition(words: Sequence[str]) -> float | None:
    """Return the share of a text's 4-grams of words that occurred in it before; None where it has none.

    >>> repetition("a b c d a b c d".split())
    0.2
    """
    grams = _grams(words, REPETITION_WORDS)
    return (len(grams) - len(set(grams))) / len(grams) if grams else None


def distinct(texts: Sequence[Sequence[str]], n: int) -> float:
    """Return different n-grams per n-gram, over all texts together (distinct-n, Li et al. 2016); 0 where there are none."""
    grams = [gram for words in texts for gram in _grams(words, n)]
    return len(set(grams)) / max(len(grams), 1)


def _grams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None
