"""Pieces as they are shown: nothing of a text is lost, and what a browser would not show stands out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pentad import make
from pentad_studio.server.markup import parts_markup
from pentad_studio.tokens.pieces import cut_text, shown_parts


@given(st.binary(max_size=40))
def test_every_byte_is_shown(data):
    back = b""
    for text, css in shown_parts(data):
        is_byte = css == "byte" and len(text) == 2
        back += (
            bytes.fromhex(text)
            if is_byte
            else text.encode().decode("unicode_escape").encode()
            if css == "byte"
            else text.encode()
        )
    assert back == data


def test_markup_in_a_text_is_text():
    assert parts_markup(shown_parts(b"<script>&")) == "&lt;script&gt;&amp;"
    assert parts_markup((("<b>", "special"),)) == '<span class="special">&lt;b&gt;</span>'


def test_the_seed_sentence_is_what_everyone_knows_it_to_be():
    cut = cut_text(make("tokenizer", "gpt2"), "This is me training")
    assert [piece.id for piece in cut.pieces] == [1212, 318, 502, 3047]
    assert (cut.n_tokens, cut.n_bytes, cut.bytes_per_token, cut.vocab_size) == (4, 19, 4.75, 50257)


def test_a_spelling_is_a_special_token_only_where_it_is_asked_for():
    tokenizer = make("tokenizer", "byte")
    assert cut_text(tokenizer, "<|endoftext|>").n_tokens == 13
    assert cut_text(tokenizer, "<|endoftext|>", special=True).pieces[0].parts == (("<|endoftext|>", "special"),)


def test_of_a_long_text_the_beginning_is_shown_and_all_is_counted():
    cut = cut_text(make("tokenizer", "byte"), "a" * 5000)
    assert (len(cut.pieces), cut.more, cut.n_tokens) == (4000, 1000, 5000)
