"""What the model reads of a conversation."""

from __future__ import annotations

from pathlib import Path

from pentad import open_run
from pentad.tools import Conversation, Exchange, can_converse

SYSTEM, USER, ASSISTANT, END_OF_TURN, END_OF_TEXT = 257, 258, 259, 260, 256


def test_it_reads_what_the_builder_renders(talker: Path) -> None:
    talk = Conversation(
        open_run(talker),
        max_tokens=8,
        system="s",
        exchanges=[Exchange("q", "a", [USER, 113, END_OF_TURN, ASSISTANT, 97, END_OF_TURN])],
    )
    prompt, left_out = talk.prompt("r")
    head = [END_OF_TEXT, SYSTEM, 115, END_OF_TURN]
    assert prompt == [*head, *talk.exchanges[0].ids, USER, 114, END_OF_TURN, ASSISTANT]
    assert left_out == 0


def test_history_is_cut_at_turns_and_leaves_room_for_the_answer(talker: Path) -> None:
    run = open_run(talker)
    talk = Conversation(run, max_tokens=16)
    for number in range(9):
        list(talk.answer(f"{number}?", None))
    prompt, left_out = talk.prompt("9?")
    assert 0 < left_out < 9 and len(prompt) + 16 <= (run.session.context_length or 0)
    assert prompt[:2] == [END_OF_TEXT, USER]
    assert prompt.count(USER) == prompt.count(ASSISTANT) == 9 - left_out + 1


def test_an_answer_that_is_closed_early_is_remembered_with_an_end(talker: Path) -> None:
    talk = Conversation(open_run(talker), max_tokens=16)
    events = talk.answer("1?", None)
    first = next(events)
    events.close()
    assert talk.exchanges[0].ids[-2:] == [first.token, END_OF_TURN]
    assert talk.messages()[0] == {"role": "user", "content": "1?"}


def test_who_can_converse(base: Path, talker: Path) -> None:
    assert can_converse(open_run(talker)) and not can_converse(open_run(base))
