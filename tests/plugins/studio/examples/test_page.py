"""The page Examples: each builder's examples as they are."""

from __future__ import annotations

import json
import re

from pentad_studio.examples.making import STARTERS, make_examples, pieces_of, starter_for
from pentad_studio.examples.rows import rows_of

CHAT = STARTERS["A conversation"]


def words(html):
    return " ".join(re.sub(r"<[^>]*>", "", html).split())


def test_one_target_is_drawn_as_textbooks_do(page):
    text = "This is me training a model"
    html = page.ask("examples-part", text=text, tokenizer="named:gpt2", builder="prefix")
    assert "[1212, 318, 502, 3047] → 257" in words(html)


def test_of_a_chat_the_answers_are_learned(catalogue, page):
    from pentad import make

    tokenizer = make("tokenizer", "byte")
    made = make_examples(catalogue, tokenizer, "chat", {}, CHAT, None, 10)
    (row,) = rows_of(made, tokenizer)
    learned = "".join(part for cell in row.cells for part, css in cell.target if css != "special")
    assert learned == "It is 4.6"
    assert row.padding == 0
    html = page.ask("examples-part", text=CHAT, tokenizer="named:gpt2", builder="chat")
    assert "ignored" in html and "&lt;|assistant|&gt;" in html


def test_packed_documents_are_marked_where_they_begin(catalogue):
    from pentad import make

    tokenizer = make("tokenizer", "byte")
    made = make_examples(catalogue, tokenizer, "next-token", {}, "one\n\ntwo", 8, 10)
    (row,) = rows_of(made, tokenizer)
    assert [cell.segment for cell in row.cells] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert [number for number, cell in enumerate(row.cells) if cell.opens] == [0, 4]


def test_a_pair_shows_both_of_its_sides(page):
    html = page.ask("examples-part", text=STARTERS["Two answers, one preferred"], tokenizer="named:gpt2", builder="dpo")
    assert "The other side of the pair" in html


def test_each_builder_begins_with_a_text_that_it_can_read(catalogue):
    assert starter_for(catalogue, "next-token") == STARTERS["A sentence"]
    assert starter_for(catalogue, "chat") == CHAT
    assert starter_for(catalogue, "dpo") == STARTERS["Two answers, one preferred"]


def test_records_are_read_one_a_line_or_as_a_list():
    record = {"messages": [{"role": "user", "content": "a"}]}
    lines = "\n".join([json.dumps(record)] * 2)
    assert [piece.record for piece in pieces_of(lines)] == [record, record]
    assert [piece.record for piece in pieces_of(json.dumps([record]))] == [record]
    assert [piece.text for piece in pieces_of("{not json")] == ["{not json"]


def test_what_cannot_be_is_said_by_a_code(page):
    fields = {"tokenizer": "named:gpt2", "text": "a"}
    assert page.refusal("examples-part", builder="", **fields) == "unknown-name"
    assert page.refusal("examples-part", builder="next-token", context_length="64", **fields) == "text-too-short"
    assert page.refusal("examples-part", builder="next-token", context_length="x", **fields) == "form-number"
    assert page.refusal("examples-part", builder="chat", **fields) == "record-keys"


def test_a_page_is_there(page):
    text = page.get("examples").text
    assert "This is me training a model</textarea>" in text
    assert 'value="prefix"' in text
