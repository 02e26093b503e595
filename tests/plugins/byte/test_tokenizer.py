from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pentad import NoOptions
from pentad.testing import raises_code
from pentad_byte.tokenizer import Byte

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
TOKENIZER = Byte(NoOptions())


@given(TEXT)
def test_ids_are_the_bytes(text):
    ids = TOKENIZER.encode(text)
    assert ids.tolist() == list(text.encode())
    assert TOKENIZER.decode(ids) == text


@given(st.lists(st.integers(0, 256)))
def test_decoding_agrees_with_token_bytes(ids):
    expected = b"".join(TOKENIZER.token_bytes(token) for token in ids)
    assert TOKENIZER.decode_bytes(ids) == TOKENIZER.decode_bytes(iter(ids)) == TOKENIZER.decode_bytes(np.array(ids)) == expected


def test_a_folder_of_another_tokenizer_is_refused(tmp_path):
    (tmp_path / "byte.txt").write_text("something else")
    with raises_code("tokenizer-damaged"):
        TOKENIZER.load(tmp_path)
