"""The built-in corpus: there on every machine, the same on every call, with nothing twice."""

from __future__ import annotations

import subprocess
import sys

from pentad.data.corpus import open_corpus
from pentad.data.split import Part, split_corpus
from pentad.registry.catalogue import Catalogue
from pentad.testing import CorpusConformance
from pentad_python_docs.corpus import documents, without_repetitions

LONG = " ".join(f"word{number}" for number in range(20))
OTHER = LONG.replace("word", "other")


def sequences(part: Part, length: int = 13) -> list[tuple[str, ...]]:
    found, text = [], ""
    for piece in part.pieces():
        text += piece.text
        if piece.ends_document:
            words, text = text.split(), ""
            found += [tuple(words[at : at + length]) for at in range(len(words) - length + 1)]
    return found


def test_it_is_large_enough_and_the_same_on_every_call():
    first = list(documents())
    assert first == list(documents())
    assert len(first) >= 40 and sum(map(len, first)) > 300_000


def test_training_text_does_not_stand_in_the_held_out_part():
    split = split_corpus(open_corpus(["python-docs"], Catalogue()), 0.1)
    assert split.rule == "documents"
    train = set(sequences(split.train))
    held_out = sequences(split.held_out)
    shared = sum(words in train for words in held_out) / len(held_out)
    assert len(held_out) > 2000
    assert shared < 0.02, f"{shared:.1%} of the held-out 13-word sequences stand in the training text"


def test_what_a_longer_text_holds_is_left_out():
    texts = {"a": f"Part\n\n{LONG}", "b": f"Whole\n\n{LONG}\n\n{OTHER}\n\nSee also:", "c": "Short\n\nSee also:\n\nSee also:"}
    kept = without_repetitions(texts)
    assert list(kept) == ["b"] + ["c"] * ("c" in kept)
    assert kept["b"] == texts["b"]


def test_a_repeated_paragraph_is_taken_once_and_short_ones_stay():
    new = OTHER.replace("other", "new") * 2
    kept = without_repetitions({"x": f"{LONG}\n\n{OTHER}\n\nSee also:\n\n{OTHER}x", "y": f"See also:\n\n{LONG}\n\n{new}"})
    assert kept["y"] == f"See also:\n\n{new}"


def test_listing_it_reads_no_text():
    found = "Catalogue().find('corpus', 'python-docs').name"
    code = f"import sys; from pentad.registry.catalogue import Catalogue; print({found}, 'pydoc_data.topics' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "python-docs False\n"


class TestPythonDocs(CorpusConformance):
    name = "python-docs"
