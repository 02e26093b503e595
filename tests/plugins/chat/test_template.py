"""What is learned of each kind of record, and what is refused."""

from __future__ import annotations

import pytest

from pentad.testing import raises_code
from pentad_chat.template import END_OF_TURN, messages_of, turns


def spelled(record, **options):
    return [(span.text or f"<{span.special}>", span.learn) for span in turns(messages_of(record), **options)]


QUESTION = [("<user>", False), ("2 + 2?", False), (f"<{END_OF_TURN}>", False)]
ANSWER = [("<assistant>", False), ("4", True), (f"<{END_OF_TURN}>", True)]


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]},
        {"prompt": "2 + 2?", "completion": "4"},
        {"prompt": [{"role": "user", "content": "2 + 2?"}], "completion": [{"role": "assistant", "content": "4"}]},
        {"instruction": "2 + 2?", "output": "4"},
        {"instruction": "2 + 2?", "input": "", "output": "4"},
    ],
)
def test_all_kinds_of_records_give_the_same_turns(record):
    assert spelled(record) == [*QUESTION, *ANSWER]


def test_an_instruction_stands_before_its_input():
    assert messages_of({"instruction": "Add.", "input": "2 + 2", "output": "4"})[0]["content"] == "Add.\n\n2 + 2"


def test_nothing_is_learned_of_the_system_or_where_the_caller_says_so():
    talk = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "assistant", "content": "Yes."}]}
    assert [learn for _, learn in spelled(talk)] == [False] * 4 + [True] * 2
    assert not any(learn for _, learn in spelled(talk, learn=False))


@pytest.mark.parametrize(
    "record", ["words", {"text": "words"}, {"messages": []}, {"prompt": "a", "chosen": "b", "rejected": "c"}]
)
def test_what_is_no_conversation_is_refused(record):
    with raises_code("record-keys"):
        messages_of(record)


def test_an_unknown_role_is_refused_with_the_words_by_which_to_find_it():
    with raises_code("unknown-role") as caught:
        spelled({"messages": [{"role": "parrot", "content": "Polly wants 7 crackers."}]})
    assert "Polly wants 7 crackers." in str(caught.value)
