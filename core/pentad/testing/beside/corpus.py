"""The contract of corpora, as checks on the first documents that they yield.

from pentad.testing import CorpusConformance

class TestLetters(CorpusConformance):
    name = "letters"
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pentad.contracts.records import Record, text_of
from pentad.data.readers import whole_documents
from pentad.registry.records import OptionsRecord
from pentad.system.errors import EngineError, UsageError
from pentad.testing.conformance import Conformance, require


class CorpusConformance(Conformance):
    """Checks of a corpus.

    Attributes:
        documents: how many of its documents are looked at.
    """

    kind = "corpus"
    documents: ClassVar[int] = 500

    def first(self) -> list[Record]:
        """Return the first documents, as the corpus yields them."""
        record = self.record()
        with_options = isinstance(record, OptionsRecord) and record.takes_options
        found: Any = self.factory()(*((self.parsed_options(),) if with_options else ()))
        require(
            isinstance(found, Iterable) and not isinstance(found, str | bytes | Mapping),
            f"the factory must return documents to iterate over, found a {type(found).__name__}",
        )
        return list(itertools.islice(iter(found), self.documents))

    def check_yields_documents(self) -> None:
        """Every document is a `str`, or a record with one of the sets of keys (`pentad.Record`)."""
        require_documents(self.first(), "the corpus")

    def check_is_not_empty(self) -> None:
        """There is text in it."""
        require(any(_has_text(document) for document in self.first()), "no document has any text")

    def check_same_on_every_call(self) -> None:
        """Every call gives the same documents in the same order."""
        one, two = self.first(), self.first()
        different = next((index for index, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
        require(
            one == two,
            f"a second call gives other documents, from number {different} on; make a new iterator on each call, "
            "and let nothing depend on chance, on the clock or on the order of a set",
        )


def require_documents(documents: Iterable[Any], maker: str) -> None:
    """Fail unless every document is one that core can learn from."""
    for number, document in enumerate(documents):
        try:
            list(whole_documents(iter([document]), f"{maker}'s document {number}"))
        except (EngineError, UsageError) as error:
            raise AssertionError(f"{error.message} {error.hint}") from None


def _has_text(document: Record) -> bool:
    return bool(text_of(document).strip())
