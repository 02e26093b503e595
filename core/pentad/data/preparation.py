"""From a resolved recipe to tokens: corpus, split, tokenizer, shards and builder, in this order. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pentad.config.recipe import DataOptions
from pentad.contracts.builder import ExampleBuilder
from pentad.contracts.observer import Preparation, RunObserver
from pentad.contracts.tokenizer import Tokenizer
from pentad.data.corpus import open_corpus
from pentad.data.shards import TokenShard, tokenize_split, trained_tokenizer
from pentad.data.split import Part, Split, split_corpus
from pentad.registry.catalogue import Catalogue
from pentad.registry.resolving import Resolved
from pentad.system.cache import cache_directory
from pentad.system.errors import EngineError, UsageError


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """Everything that training needs, and nothing that depends on the model.

    Args:
        split: the text, cut.
        tokenizer: trained on the training part.
        tokenizer_folder: where it is saved.
        tokenizer_fingerprint: tells it from any other.
        builder: makes the examples.
        train: the training part as ids.
        held_out: the held-out part as ids, or None when nothing is held out.
    """

    split: Split
    tokenizer: Tokenizer
    tokenizer_folder: Path
    tokenizer_fingerprint: str
    builder: ExampleBuilder
    train: TokenShard
    held_out: TokenShard | None

    @property
    def vocab_size(self) -> int:
        """Ids that the model must know: the tokenizer's and those that the builder adds."""
        return self.tokenizer.vocab_size + self.builder.extra_tokens


def open_split(resolved: Resolved, catalogue: Catalogue, observer: RunObserver) -> Split:
    """Open the text and cut the held-out part off.

    Raises:
        UsageError: the text is missing, unreadable, empty or too short.
    """
    observer.on_preparation(Preparation(what="Reading the text"))
    return open_data(resolved.recipe.data, catalogue)


def open_data(data: DataOptions, catalogue: Catalogue) -> Split:
    """Open the text of a table `[data]` and cut the held-out part off, as every command does.

    Raises:
        UsageError: the text is missing, unreadable, empty or too short.
    """
    held_out = open_corpus(data.held_out_sources, catalogue) if data.held_out_sources else None
    corpus = open_corpus(data.sources, catalogue)
    split = split_corpus(corpus, data.held_out, held_out, drop_duplicates=data.drop_duplicates)
    # What is tuned on the held-out text would be judged on it too: validation is cut from what is left for training.
    return split_corpus(split.train, data.validation) if data.validation else split


def prepare_tokenizer(
    resolved: Resolved, catalogue: Catalogue, observer: RunObserver | None = None
) -> tuple[Tokenizer, Path, str, Split]:
    """Return the recipe's tokenizer, trained on the training part of its text or taken from the cache.

    Returns:
        The tokenizer, its folder, its fingerprint, and the split.

    Raises:
        UsageError: the text cannot give the vocabulary that the options ask for.
    """
    observer = observer or RunObserver()
    split = open_split(resolved, catalogue, observer)
    observer.on_preparation(Preparation(what=f"Training the tokenizer {resolved.offers['tokenizer'].name}"))
    tokenizer, folder, fingerprint = trained_tokenizer(
        resolved.offers["tokenizer"], resolved.options["tokenizer"], split, cache_directory()
    )
    return tokenizer, folder, fingerprint, split


def make_builder(resolved: Resolved, tokenizer: Tokenizer) -> ExampleBuilder:
    """Return the recipe's example builder for a tokenizer."""
    builder: ExampleBuilder = resolved.offers["builder"].make(
        resolved.options["builder"],
        context_length=resolved.recipe.training.context_length,
        vocab_size=tokenizer.vocab_size,
        end_of_text=tokenizer.end_of_text,
    )
    return builder


@dataclass(frozen=True, kw_only=True, eq=False)
class Kept:
    """What a run keeps of its preparation, so that it goes on with the same: its tokenizer, and what its text was."""

    tokenizer: Tokenizer
    tokenizer_folder: Path
    tokenizer_fingerprint: str
    data_fingerprint: str


def prepare(
    resolved: Resolved, catalogue: Catalogue, observer: RunObserver | None = None, kept: Kept | None = None
) -> Prepared:
    """Do all that comes before the model.

    Args:
        resolved, catalogue: every choice, and what is installed.
        observer: told how far it is.
        kept: of a run that goes on; None to train the tokenizer, or take it from the cache.

    Raises:
        UsageError: the text is too short for one example of the context length, or any of the errors of the parts.
        EngineError: the text is not what it was.
    """
    observer = observer or RunObserver()
    if kept is None:
        tokenizer, folder, fingerprint, split = prepare_tokenizer(resolved, catalogue, observer)
    else:
        tokenizer, folder, fingerprint = kept.tokenizer, kept.tokenizer_folder, kept.tokenizer_fingerprint
        split = open_split(resolved, catalogue, observer)
        if split.fingerprint != kept.data_fingerprint:
            raise EngineError(
                "The text must be what it was when the run was started; it has changed.",
                "Put it back as it was, or start a new run.",
                code="text-changed",
            )

    def shard(part: Part, name: str) -> TokenShard:
        def tell(done: int, total: int) -> None:
            observer.on_preparation(Preparation(what=f"Tokenizing the {name} text", done=done / max(total, 1)))

        return tokenize_split(part, tokenizer, fingerprint, cache_directory(), tell)

    train = shard(split.train, "training")
    held_out = shard(split.held_out, "held-out") if split.held_out.n_bytes else None
    builder = make_builder(resolved, tokenizer)
    if builder.count(train.tokens) == 0:
        context_length = resolved.recipe.training.context_length
        raise UsageError(
            f"The training text must give at least one example of {context_length} tokens; found {train.n_tokens} tokens.",
            "Give --data more text, or lower --context-length.",
            code="text-too-short",
        )
    return Prepared(
        split=split,
        tokenizer=tokenizer,
        tokenizer_folder=folder,
        tokenizer_fingerprint=fingerprint,
        builder=builder,
        train=train,
        held_out=held_out,
    )
