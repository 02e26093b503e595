"""Records with keys: what is taken, what is refused with its file and line, and that the split never cuts one."""

from __future__ import annotations

import io
import json

import pytest

from pentad import UsageError, text_of
from pentad.data.pieces import Piece
from pentad.data.readers import read_jsonl, whole_documents
from pentad.data.records import canonical
from pentad.data.split import split_corpus, survey
from pentad.testing import raises_code

CHAT = {"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]}
ANSWER = {"prompt": "2 + 2?", "completion": "4"}
TASK = {"instruction": "Add.", "input": "2 + 2", "output": "4"}
CHOICE = {"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}


def read(*records) -> list[Piece]:
    data = "".join(json.dumps(record) + "\n" for record in records).encode()
    return list(read_jsonl(io.BytesIO(data), "a.jsonl"))


class Records:
    def __init__(self, *records):
        self.read = read(*records)

    def pieces(self):
        return iter(self.read)


def arithmetic(count: int) -> list[dict[str, str]]:
    return [{"prompt": f"{n} + {n}?", "completion": str(2 * n)} for n in range(count)]


@pytest.mark.parametrize("record", [CHAT, ANSWER, CHOICE, TASK, {"instruction": "Add 2 and 2.", "output": "4"}])
def test_each_set_of_keys_is_one_piece_with_all_of_its_text(record):
    assert read(record) == [Piece(text_of(record), True, record)]


def test_messages_may_stand_for_a_prompt_and_keep_what_else_they_hold():
    prompt = [{"role": "user", "content": "?", "name": "Ann"}]
    (piece,) = read({"prompt": prompt, "completion": "!"})
    assert piece.record == {"prompt": prompt, "completion": "!"} and piece.text == "?\n!"


def test_other_keys_are_left_out_and_the_order_of_keys_does_not_matter():
    (piece,) = read({"id": "x1", "completion": "4", "score": 3, "prompt": "2 + 2?"})
    assert piece == Piece("2 + 2?\n4", True, ANSWER)


def test_a_record_with_text_is_plain_text():
    assert read({"text": "a", "prompt": "b", "completion": "c"}) == [Piece("a", True)]


def test_records_without_text_are_skipped_and_lone_surrogates_replaced():
    assert read({"messages": []}, {"prompt": "", "completion": ""}) == []
    (piece,) = read({"messages": [{"role": "user", "content": "a\ud800"}]})
    assert piece.text == "a\ufffd" and piece.record == {"messages": [{"role": "user", "content": "a\ufffd"}]}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"prompt": "a"}, 'has no key "text"; found the keys "prompt"'),
        ({"chosen": "a", "rejected": "b"}, 'has no key "text"; found the keys "chosen", "rejected"'),
        ({"messages": "a"}, 'must have a list of messages under "messages"; found a string'),
        ({"messages": ["a"]}, "message 1 is a string"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "user"}]}, 'message 2 has nothing under "content"'),
        ({"messages": [{"role": "user", "content": None}]}, 'message 1 has null under "content"'),
        ({"prompt": 3, "completion": "a"}, 'must have a string or a list of messages under "prompt"; found a number'),
        ({"prompt": "a", "chosen": "b", "rejected": {}}, 'under "rejected"; found an object'),
    ],
)
def test_unknown_shapes_are_refused_with_file_and_line(record, said):
    with pytest.raises(UsageError) as caught:
        read({"text": "fine"}, record)
    assert caught.value.message.startswith("a.jsonl, line 2, ") and said in caught.value.message
    assert caught.value.hint


def test_plugins_may_yield_records_of_json_values():
    assert list(whole_documents(iter([ANSWER, "plain"]), "The corpus x")) == [
        Piece(text_of(ANSWER), True, ANSWER),
        Piece("plain", True),
    ]
    with raises_code("plugin-contract"):
        list(whole_documents(iter([{"prompt": "a", "completion": b"b"}]), "The corpus x"))
    with raises_code("document-format"):
        list(whole_documents(iter([{"prompt": "a"}]), "The corpus x"))


def test_the_canonical_form_tells_records_apart_and_is_no_text():
    assert canonical(ANSWER) == canonical(dict(reversed(ANSWER.items())))
    assert canonical(ANSWER) != canonical({**ANSWER, "completion": "5"})
    with pytest.raises(UnicodeDecodeError):
        canonical(ANSWER).decode()


def test_equal_text_in_another_record_is_another_text():
    same_text = {"prompt": "2 + 2?\n4", "completion": ""}
    prints = {survey(Records(record)).fingerprint for record in (ANSWER, same_text, {"text": text_of(ANSWER)}, CHAT)}
    assert len(prints) == 4
    assert survey(Records(ANSWER)).fingerprint == survey(Records(ANSWER)).fingerprint


def test_sizes_are_those_of_the_text():
    assert survey(Records(ANSWER, {"text": "é"})).sizes.tolist() == [len("2 + 2?\n4"), 2]


def test_repeated_records_are_dropped_when_asked():
    split = split_corpus(Records(ANSWER, CHOICE, dict(reversed(ANSWER.items()))), 0, drop_duplicates=True)
    assert split.n_duplicates == 1
    assert [piece.record for piece in split.train.pieces()] == [ANSWER, CHOICE]


@pytest.mark.parametrize(("count", "share"), [(2, 0.5), (5, 0.2), (5, 0.01), (60, 0.1)])
def test_records_are_held_out_whole_however_few(count, share):
    records = arithmetic(count)
    split = split_corpus(Records(*records), share)
    sides = [[piece.record for piece in part.pieces()] for part in (split.train, split.held_out)]
    assert split.rule == "documents" and all(sides)
    assert sorted(map(str, sides[0] + sides[1])) == sorted(map(str, records))
    assert split.held_out.n_bytes == sum(len(text_of(record)) for record in sides[1])


def test_a_record_stays_a_record_when_validation_is_cut_from_training():
    split = split_corpus(split_corpus(Records(*arithmetic(80)), 0.1).train, 0.1)
    assert all(piece.record for part in (split.train, split.held_out) for piece in part.pieces())


def test_one_record_cannot_be_held_out():
    with raises_code("text-too-short") as caught:
        split_corpus(Records(ANSWER), 0.1)
    assert "--held-out-data" in caught.value.hint


def test_a_record_that_changes_with_the_same_text_is_noticed():
    records = Records(ANSWER)
    part = split_corpus(records, 0).train
    records.read = read({"prompt": "2 + 2?\n4", "completion": ""})[:1]
    with raises_code("text-changed"):
        list(part.pieces())


def test_a_reward_is_a_name_and_no_text():
    (piece,) = read({**ANSWER, "reward": "number"})
    assert piece == Piece("2 + 2?\n4", True, {**ANSWER, "reward": "number"})
    assert read({**ANSWER, "reward": 0.7}) == [Piece("2 + 2?\n4", True, ANSWER)]  # a number, as other projects write it
