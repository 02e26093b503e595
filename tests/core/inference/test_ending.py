"""Where a text ends: a stop text is found however the tokens cut it, and none of it is given out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pentad.contracts.session import TokenEvent
from pentad.inference.ending import StopFinder, until_text


def event(text, sequence=0, ended=""):
    return TokenEvent(sequence=sequence, token=1, text=text, logprob=0.0, ended=ended)


@given(st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3), st.data())
def test_it_ends_where_the_whole_text_has_the_first_one(text, stops, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    finder, out, ended = StopFinder(stops), "", False
    for number, piece in enumerate(pieces, 1):
        given_out, ended = finder.feed(piece, last=number == len(pieces))
        out += given_out
        if ended:
            break
    # What ends first counts, not what begins first: the stream cannot know yet what else might follow.
    places = [text.find(stop) for stop in stops if stop in text]
    assert ended == bool(places)
    assert text.startswith(out)
    assert all(stop not in out for stop in stops)
    if not places:
        assert out == text


def test_text_is_held_back_only_while_it_could_be_a_beginning():
    finder = StopFinder(["\n\n"])
    assert finder.feed("one\n") == ("one", False)
    assert finder.feed("two") == ("\ntwo", False)
    assert finder.feed("\n") == ("", False)
    assert finder.feed("", last=True) == ("\n", False)


def test_each_sequence_ends_by_itself_and_the_source_is_closed():
    closed = []

    def source():
        try:
            for text in ("a", "b", "stop", "c", "d"):
                for sequence in (0, 1):
                    yield event(text if sequence else text.upper(), sequence)
        finally:
            closed.append(True)

    events = list(until_text(source(), ["STOP", "c"], 2))
    assert [(each.sequence, each.ended) for each in events if each.ended] == [(0, "text"), (1, "text")]
    assert "".join(each.text for each in events if each.sequence == 0) == "AB"
    assert "".join(each.text for each in events if each.sequence == 1) == "abstop"
    assert closed
