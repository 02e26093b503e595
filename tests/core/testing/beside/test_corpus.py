"""Each wrong corpus is caught by the check meant for it, and by no other."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest

from pentad import Corpus, NoOptions, option
from pentad.testing import CorpusConformance

CALLS = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Options:
    documents: int = option(3, "How many documents.", ge=1)


def right():
    yield "one"
    yield {"prompt": "2 + 2?", "completion": "4"}


def with_options(options):
    return [f"document {number}" for number in range(options.documents)]


def bytes_for_text():
    return [b"one", b"two"]


def wrong_keys():
    return ["one", {"content": "two"}]


def empty():
    return [" ", "\n"]


def other_each_time():
    return ["one", f"two {next(CALLS)}"]


def failures(corpus, options=NoOptions):
    record = Corpus(name="wrong", summary="", factory=corpus, options=options)
    kit = type("Kit", (CorpusConformance,), {"implementation": record})()
    return {check: result.note for check in kit.checks() if (result := kit.run(check)).outcome != "passed"}


def test_right_corpora_pass():
    assert failures(right) == failures(with_options, Options) == {}


@pytest.mark.parametrize(
    ("corpus", "check"),
    [
        (wrong_keys, "yields_documents"),
        (empty, "is_not_empty"),
        (other_each_time, "same_on_every_call"),
    ],
)
def test_a_wrong_corpus_is_caught_by_the_check_meant_for_it(corpus, check):
    found = failures(corpus)
    assert list(found) == [check], found


def test_bytes_are_no_text():
    assert "must yield one str a document" in failures(bytes_for_text)["yields_documents"]


def test_an_iterator_that_is_used_up_is_caught():
    once = iter(["one", "two"])
    record = Corpus(name="wrong", summary="", factory=lambda: once)
    result = type("Kit", (CorpusConformance,), {"implementation": record})().run("same_on_every_call")
    assert "number 0" in result.note
