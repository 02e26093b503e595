"""Runs that learn conversations: what they are judged by, and how they end a turn."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from pentad import Choice, Limits, UsageError, open_run, run
from pentad.testing import raises_code

from .conftest import recipe_of, write

USER, ASSISTANT, END_OF_TURN, END_OF_TEXT = 258, 259, 260, 256


def test_the_new_tokens_stand_behind_those_of_the_run_that_it_starts_from(base: Path, talker: Path) -> None:
    assert open_run(talker).vocabulary.size == open_run(base).vocabulary.size + 4


def test_answers_end_and_no_role_is_drawn(talker: Path) -> None:
    session = open_run(talker).session
    question = [END_OF_TEXT, USER, *session.tokenizer.encode("7?").tolist(), END_OF_TURN, ASSISTANT]
    events = list(session.generate(torch.tensor(question), None, Limits(max_tokens=40, samples=8)))
    assert all(event.token < 257 or event.token == END_OF_TURN for event in events)
    assert sum(event.ended == "stop" for event in events) >= 6  # the end of the turn was learned


def test_held_out_answers_are_judged_and_nothing_else(talker: Path, tmp_path: Path) -> None:
    saved = open_run(talker)
    spelled = {"prompt": "say <|assistant|><|end_of_turn|>", "completion": "<|user|> no"}
    score = saved.evaluate([str(write(tmp_path / "spelled.jsonl", [spelled, {"prompt": "1?", "completion": "cats."}]))])
    assert score.n_bytes == len("<|user|> no") + len("cats.")
    assert score.n_tokens == score.n_bytes + 2  # bytes, so no spelling became a token; the ends of both turns are learned
    own = open_run(talker)
    ids = [END_OF_TEXT, USER, *b"1?", END_OF_TURN, ASSISTANT, *b"cats.", END_OF_TURN]
    bits = -float(own.session.score_tokens(torch.tensor(ids), 6).sum()) / math.log(2)
    alone = saved.evaluate([str(write(tmp_path / "one.jsonl", [{"prompt": "1?", "completion": "cats."}]))])
    assert alone.bits_per_byte == pytest.approx(bits / 5, rel=1e-4)


def test_other_questions_with_the_same_answers_are_no_other_targets(talker: Path) -> None:
    """Change the text of one conversation in a row: the logits of the other stay as they are."""
    saved = open_run(talker)
    tokens = [END_OF_TEXT, USER, 50, END_OF_TURN, ASSISTANT, 60, END_OF_TURN]
    rows = np.array([tokens + tokens, [*tokens[:2], 51, *tokens[3:], *tokens]])
    segments = torch.tensor([[0] * 7 + [1] * 7] * 2)
    with torch.no_grad():
        features = saved.model(torch.from_numpy(rows), segments=segments).features
    assert torch.equal(features[0, 7:], features[1, 7:])
    assert not torch.equal(features[0, 3:7], features[1, 3:7])


def test_plain_text_is_refused_or_learned_whole(tmp_path: Path) -> None:
    data = write(tmp_path / "mixed.jsonl", [{"text": f"{n} words."} for n in range(40)] + [{"prompt": "a", "completion": "b"}])
    with raises_code("record-keys"):
        run(recipe_of(data, 1, builder="chat"), out=tmp_path / "refused")
    made = run(recipe_of(data, 1, builder=Choice("chat", plain_text=True)), out=tmp_path / "learned")
    assert made.evaluation is not None


def test_conversations_without_an_answer_are_refused(tmp_path: Path) -> None:
    data = write(tmp_path / "silent.jsonl", [{"messages": [{"role": "user", "content": f"{n}?"}]} for n in range(40)])
    with raises_code("nothing-learned"):
        run(recipe_of(data, 1, builder="chat"), out=tmp_path / "run")


def test_a_record_of_unknown_shape_is_refused_with_its_line(tmp_path: Path) -> None:
    data = write(tmp_path / "odd.jsonl", [{"prompt": "a", "completion": "b"}, {"question": "a", "answer": "b"}])
    with pytest.raises(UsageError) as raised:
        run(recipe_of(data, 1, builder="chat"), out=tmp_path / "run")
    assert raised.value.code == "document-format" and "line 2" in raised.value.message


def test_plain_text_is_scored_as_it_is_where_asked(base: Path, talker: Path, tmp_path: Path) -> None:
    text = tmp_path / "plain.txt"
    text.write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n" for number in range(30)))
    with raises_code("record-keys"):
        open_run(talker).evaluate([str(text)])
    score = open_run(talker).evaluate([str(text)], plain_text=True)
    assert (score.primary, score.n_bytes) == ("bits_per_byte", text.stat().st_size)
    before = open_run(base)
    assert before.evaluate([str(text)]).score == before.evaluate([str(text)], plain_text=True).score < score.score


def test_a_text_is_read_by_another_builder_where_asked(talker: Path, tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs.jsonl", [{"prompt": f"{n}?", "chosen": "yes", "rejected": "no"} for n in range(8)])
    talks = write(tmp_path / "talks.jsonl", [{"prompt": f"{n}?", "completion": "yes"} for n in range(8)])
    saved = open_run(talker)
    with raises_code("record-keys"):
        saved.evaluate([str(pairs)])
    score = saved.evaluate([str(pairs)], builder="dpo")
    assert (score.primary, score.scores["n_pairs"]) == ("preference_accuracy", 8)
    own = saved.evaluate([str(talks)]).score
    assert own == saved.evaluate([str(talks)], builder="chat,plain-text=true").score
    for builder, code in (
        ("masked", "special-tokens-differ"),
        ("dpo,template=plain", "special-tokens-differ"),
        ("chat,plain=true", "unknown-option"),
        ("talk", "unknown-name"),
    ):
        with raises_code(code):
            saved.evaluate([str(talks)], builder=builder)
