"""Answers: the same as the command's, from a history that the page sends, cut at turns; and lines that a base run continues."""

from __future__ import annotations

import json

import pytest

from pentad import Limits, open_run
from pentad.testing import raises_code
from pentad.tools import Conversation
from pentad_studio.chat.answering import Question, Said, answer, read_history
from pentad_studio.sources.models import open_model

USER, ASSISTANT, END_OF_TURN = 258, 259, 260


def told(run, **question):
    events = list(answer(run, Question(**{"max_tokens": 6, "seed": 3, **question})))
    assert [name for name, _ in events] == ["start", *["token"] * (len(events) - 2), "done"]
    return events[0][1], [data for name, data in events if name == "token"], events[-1][1]


def said(question, tokens):
    return Said(question, "".join(one["text"] for one in tokens), [one["id"] for one in tokens if one["id"] is not None])


def test_answers_are_those_of_the_command(studio, talker):
    run = open_model(studio, talker)
    _, first, _ = told(run, text="1?", system="s")
    start, second, _ = told(run, text="2?", system="s", history=[said("1?", first)])
    conversation = Conversation(open_run(studio.runs / talker), 6, seed=3, system="s")
    for question, tokens in (("1?", first), ("2?", second)):
        n_prompt = len(conversation.prompt(question)[0])
        assert "".join(event.text for event in conversation.answer(question, None)) == "".join(one["text"] for one in tokens)
    assert (start["n_prompt"], start["context"]) == (n_prompt, 48)


def test_what_does_not_fit_is_left_out_at_turns(studio, talker):
    run = open_model(studio, talker)
    history = [Said(f"{number}?", "beer", None) for number in range(9)]
    start, _, _ = told(run, text="9?", history=history)
    assert 0 < start["left_out"] < 9 and start["n_prompt"] + 6 <= 48


def test_a_run_without_conversations_continues_each_line_by_itself(studio):
    run = open_model(studio, "tiny")
    history = [Said("8 bottles", "anything", None)]
    start, tokens, done = told(run, text="9 bot", history=history)
    expected = open_run(studio.runs / "tiny").stream("9 bot", limits=Limits(max_tokens=6, seed=4))
    assert [one["id"] for one in tokens] == [event.token for event in expected]
    assert (start["n_prompt"], start["left_out"], done["tokens"]) == (6, 0, 6)


@pytest.mark.parametrize("ids", [[USER], [END_OF_TURN], [-1], [9999], [256]])
def test_ids_that_no_answer_has_are_refused(studio, talker, ids):
    with raises_code("unknown-token"):
        told(open_model(studio, talker), text="2?", history=[Said("1?", "", ids)])


@pytest.mark.parametrize("words", ["{", "[1]", '[{"question": "a"}]', '[{"question": 1, "answer": "b"}]', "[" * 5000, "{}x"])
def test_a_history_that_is_none_is_refused(words):
    with raises_code("form-unreadable"):
        read_history(words)


def test_the_page_says_who_can_converse_and_streams(page, talker):
    assert 'class="note"' in page.ask("chat-about", run="tiny")
    assert 'class="note"' not in page.ask("chat-about", run=talker)
    assert f'<option value="{talker}" selected>' in page.get(f"chat?run={talker}").text
    history = json.dumps([{"question": "<|user|>", "answer": "\u202e<b>", "ids": None}])
    fields = {"run": talker, "question": "1?", "history": history, "max_tokens": "2", "sampler": "greedy"}
    streamed = page.post("chat-stream", data=fields).text
    assert streamed.startswith("event: start") and "event: done" in streamed


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"run": "nothing"}, "unknown-run"),
        ({"run": "tiny", "sampler": "nothing"}, "unknown-name"),
        ({"run": "tiny", "sampler": "top-k", "sampler.k": "0"}, "option-bounds"),
        ({"run": "tiny", "max_tokens": "0"}, "form-number"),
        ({"run": "tiny", "history": "x"}, "form-unreadable"),
    ],
)
def test_what_cannot_be_is_said(page, fields, code):
    assert f'"code":"{code}"' in page.post("chat-stream", data={"question": "a", **fields}).text.replace('": "', '":"')
