from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pentad_cli.charts.text import fit, width, wrap


@given(text=st.text(max_size=60), room=st.floats(20, 300), lines=st.integers(1, 3))
def test_wrapped_text_fits(text: str, room: float, lines: int) -> None:
    made = wrap(text, room, lines)
    assert 1 <= len(made) <= lines
    assert all(width(line) <= room for line in made)


def test_only_what_has_no_room_is_cut() -> None:
    assert fit("gpt", 100) == "gpt"
    assert fit("a long label, n_layer 4", 80).endswith("…")
    assert wrap("n_layer 4, lr 1e-3", 100) == ["n_layer 4, lr", "1e-3"]
    assert "".join(wrap("bpe, gpt", 300)) == "bpe, gpt"


def test_wide_letters_are_wide() -> None:
    assert width("日本") > width("ab")
    assert width("mm") > width("ll")
