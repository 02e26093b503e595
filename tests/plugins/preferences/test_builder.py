"""Pairs by hand: ids below 9 are words, 9 ends a text."""

from __future__ import annotations

import numpy as np

from pentad import IGNORED, Tokens
from pentad.testing import raises_code
from pentad_preferences.builder import Pairs
from pentad_preferences.options import DPOOptions

E = 9


def builder(context_length=8, **options):
    return Pairs(DPOOptions(**options), context_length=context_length, vocab_size=10, end_of_text=E)


def spelled(document):
    return [(span.text or f"<{span.special}>", span.learn) for span in document.spans]


PAIR = {"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}


def test_a_pair_in_turns():
    chosen, rejected = map(spelled, builder().render(PAIR))
    question = [("<user>", False), ("2 + 2?", False), ("<end_of_turn>", False), ("<assistant>", False)]
    assert chosen == [*question, ("4", True), ("<end_of_turn>", True)]
    assert rejected == [*question, ("5", True), ("<end_of_turn>", True)]


def test_an_answer_within_the_prompt_is_not_judged():
    prompt = [{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "2 + 2?"}]
    chosen, _ = builder().render({**PAIR, "prompt": prompt})
    assert [text for text, learn in spelled(chosen) if learn] == ["4", "<end_of_turn>"]


def test_a_pair_of_plain_text_learns_the_end_of_the_text():
    chosen, _ = builder(template="plain").render(PAIR)
    assert chosen.learn_end and spelled(chosen) == [("2 + 2?", False), ("4", True)]


def test_what_is_no_pair_is_refused():
    for record, code in (
        ("words", "record-keys"),
        ({"prompt": "a", "completion": "b"}, "record-keys"),
        ({**PAIR, "rejected": ""}, "empty-answer"),
    ):
        with raises_code(code):
            list(builder().render(record))
    with raises_code("record-keys"):
        list(builder(template="plain").render({**PAIR, "prompt": [{"role": "user", "content": "?"}]}))


def tokens():
    ids = np.array([E, 1, 2, 3, E, 1, 2, 4, 5, E], np.uint16)
    learn = np.array([1, 0, 0, 1, 1, 0, 0, 1, 1, 1], bool)
    return Tokens(ids=ids, starts=np.flatnonzero(ids == E), learn=learn)


def test_a_pair_by_hand():
    batch = builder(5).build(tokens(), np.array([0]), None)
    assert batch.inputs.tolist() == [[E, 1, 2, 3, E]]
    assert batch.targets.tolist() == [[IGNORED, IGNORED, 3, E, IGNORED]]  # the end is judged too
    assert batch.extra["inputs"].tolist() == [[E, 1, 2, 4, 5]]
    assert batch.extra["targets"].tolist() == [[IGNORED, IGNORED, 4, 5, E]]


def test_a_row_too_short_keeps_the_answer():
    batch = builder(3).build(tokens(), np.array([0]), None)
    assert batch.inputs.tolist() == [[1, 2, 3]]
    assert batch.extra["targets"].tolist() == [[4, 5, E]]
