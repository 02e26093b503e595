"""From a resolved recipe to tokens: corpus, split, tokenizer, builder and shards, in this order. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pentad.config.options import parse, split_options
from pentad.config.tables import DataOptions
from pentad.contracts.builder import ExampleBuilder
from pentad.contracts.observer import Preparation, RunObserver
from pentad.contracts.situation import Situation
from pentad.contracts.tokenizer import Tokenizer
from pentad.contracts.vocabulary import Vocabulary
from pentad.data.corpus import open_corpus
from pentad.data.fitting import Fitted, fitted_tokenizer, with_shorter_context
from pentad.data.rendering import Rendering
from pentad.data.shards import TokenShard, tokenize_split
from pentad.data.split import Part, Split, split_corpus
from pentad.registry.catalogue import Catalogue
from pentad.registry.resolving import Resolved, advised, with_options
from pentad.system.cache import cache_directory
from pentad.system.errors import EngineError, UsageError


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """Everything that training needs, and nothing that depends on the model.

    Args:
        resolved: every choice, with what the text can fill in place of defaults that it cannot.
        notes: what the user should know of the text, and of defaults that were left.
        split: the text, cut.
        tokenizer: trained on the training part.
        tokenizer_folder: where it is saved.
        tokenizer_fingerprint: tells it from any other.
        builder: makes the examples.
        vocabulary: every id that the model must know.
        train: the training part as ids.
        held_out: the held-out part as ids, or None when nothing is held out.
        reason: why the tokenizer has the size that it has; empty where nobody chose it.
    """

    resolved: Resolved
    notes: tuple[str, ...]
    split: Split
    tokenizer: Tokenizer
    tokenizer_folder: Path
    tokenizer_fingerprint: str
    builder: ExampleBuilder
    vocabulary: Vocabulary
    train: TokenShard
    held_out: TokenShard | None
    reason: str = ""

    @property
    def vocab_size(self) -> int:
        """Ids that the model must know: the tokenizer's and those that the builder adds."""
        return self.vocabulary.size


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
    held_out = open_corpus(data.held_out_sources, catalogue, data) if data.held_out_sources else None
    corpus = open_corpus(data.sources, catalogue, data)
    split = split_corpus(corpus, data.held_out, held_out, drop_duplicates=data.drop_duplicates)
    notes = (*corpus.notes(), *(held_out.notes() if held_out else ()))
    # What is tuned on the held-out text would be judged on it too: validation is cut from what is left for training.
    return replace(split_corpus(split.train, data.validation) if data.validation else split, notes=notes)


def prepare_tokenizer(
    resolved: Resolved, catalogue: Catalogue, observer: RunObserver | None = None
) -> tuple[Tokenizer, Path, str, Split]:
    """Return the recipe's tokenizer, trained on the training part of its text or taken from the cache.

    Returns:
        The tokenizer, its folder, its fingerprint, and the split.

    Raises:
        UsageError: the text cannot give the vocabulary that the options ask for.
    """
    fitted, split, _ = _fitted(resolved, catalogue, observer or RunObserver())
    return fitted.tokenizer, fitted.folder, fitted.fingerprint, split


def _fitted(
    resolved: Resolved, catalogue: Catalogue, observer: RunObserver, situation: Situation | None = None
) -> tuple[Fitted, Split, str]:
    """Return the tokenizer with its options, the split, and why these were chosen; by the text alone without a run."""
    split = open_split(resolved, catalogue, observer)
    offer = resolved.offers["tokenizer"]
    observer.on_preparation(Preparation(what=f"Preparing the tokenizer {offer.name}"))
    known = replace(situation or Situation(train_bytes=0), train_bytes=split.train.n_bytes)
    resolved, advice = advised(resolved, "tokenizer", known)
    left_open = resolved.open.get("tokenizer", ())
    fitted = fitted_tokenizer(offer, resolved.options["tokenizer"], left_open, split, cache_directory())
    return fitted, split, advice.reason


def make_builder(resolved: Resolved, tokenizer: Tokenizer, catalogue: Catalogue | None = None) -> ExampleBuilder:
    """Return the recipe's example builder for a tokenizer; it gets by name what it asks for of all that core has."""
    builder: ExampleBuilder = resolved.offers["builder"].make(
        resolved.options["builder"],
        context_length=resolved.recipe.training.context_length,
        vocab_size=tokenizer.vocab_size,
        end_of_text=tokenizer.end_of_text,
        tokenizer=tokenizer,
        catalogue=catalogue or Catalogue(),
    )
    return builder


def rendering_of(resolved: Resolved, builder: ExampleBuilder) -> Rendering:
    """Return how the recipe's builder makes documents of records, for `tokenize_split`."""
    return Rendering.of(builder, resolved.offers["builder"], resolved.options["builder"])


def read_by(
    name: str, resolved: Resolved, own: ExampleBuilder, tokenizer: Tokenizer, catalogue: Catalogue
) -> tuple[Resolved, ExampleBuilder]:
    """Return the recipe of a run with another builder, and that builder.

    Args:
        name: of the builder, `chat,plain-text=true` with options.
        resolved: the recipe of the run.
        own: the run's builder.
        tokenizer: of the run.
        catalogue: what is installed.

    Raises:
        UsageError: there is no such builder or option; its special tokens or its attention are not the run's.
    """
    chosen, options = split_options(name)
    offer = catalogue.find("builder", chosen)
    resolved = replace(
        resolved,
        offers={**resolved.offers, "builder": offer},
        options={**resolved.options, "builder": parse(offer.options, options, "builder")},
    )
    builder = make_builder(resolved, tokenizer, catalogue)
    if tuple(builder.special_tokens) != tuple(own.special_tokens):
        wanted, known = (", ".join(token.name for token in one.special_tokens) or "none" for one in (builder, own))
        raise UsageError(
            f"The builder {chosen} needs the special tokens of the run. It writes {wanted}; the run knows {known}.",
            "Use a builder of the same template, or evaluate a run that learned with it.",
            code="special-tokens-differ",
        )
    if builder.attention != own.attention:
        raise UsageError(
            f"The builder {chosen} needs {builder.attention} attention; the run was trained with {own.attention} attention.",
            "Use another builder (engine plugins lists them).",
            code="attention-mismatch",
        )
    return resolved, builder


@dataclass(frozen=True, kw_only=True, eq=False)
class Kept:
    """What a run keeps of its preparation, so that it goes on with the same: its tokenizer, and what its text was."""

    tokenizer: Tokenizer
    tokenizer_folder: Path
    tokenizer_fingerprint: str
    data_fingerprint: str


@dataclass(frozen=True, kw_only=True, eq=False)
class StartTokenizer:
    """The tokenizer of the run that a new one starts from: it is used as it is, whatever the new text.

    Args:
        tokenizer: loaded.
        folder: where it is saved.
        fingerprint: tells it from any other.
    """

    tokenizer: Tokenizer
    folder: Path
    fingerprint: str


def prepare(
    resolved: Resolved,
    catalogue: Catalogue,
    observer: RunObserver | None = None,
    kept: Kept | None = None,
    tokenizer_of: StartTokenizer | None = None,
    situation: Situation | None = None,
) -> Prepared:
    """Do all that comes before the model.

    Args:
        resolved, catalogue: every choice, and what is installed.
        observer: told how far it is.
        kept: of a run that is resumed; None to train the tokenizer, or take it from the cache.
        tokenizer_of: of a run that a new one starts from, used in place of a trained one; the text may be another.
        situation: budget and machine, for what the user left open; None where nothing is to be sized by them.

    Raises:
        UsageError: the text is too short for one example of the context length, or any of the errors of the parts.
        EngineError: the text is not what it was.
    """
    observer = observer or RunObserver()
    fitted, split, reason = _tokenizer(resolved, catalogue, observer, kept, tokenizer_of, situation)
    notes = [*split.notes, *fitted.notes]
    resolved = with_options(resolved, "tokenizer", fitted.options)

    def examples(resolved: Resolved) -> tuple[ExampleBuilder, TokenShard]:
        builder = make_builder(resolved, fitted.tokenizer, catalogue)
        seed = resolved.recipe.training.seed
        return builder, _shard(split.train, "training", fitted, rendering_of(resolved, builder), observer, seed)

    def has_examples(resolved: Resolved) -> bool:
        builder, train = examples(resolved)
        return builder.count(train.tokens) > 0

    builder, train = examples(resolved)
    if builder.count(train.tokens) == 0:
        shorter = with_shorter_context(resolved, has_examples)
        length = resolved.recipe.training.context_length
        if shorter is None:
            raise UsageError(
                f"The training text must give at least one example of {length} tokens; found {train.n_tokens} tokens.",
                "Give --data more text, or lower --context-length.",
                code="text-too-short",
            )
        resolved = shorter
        builder, train = examples(resolved)
        used = resolved.recipe.training.context_length
        notes.append(f"--context-length is {used} instead of {length}: the text is too small for the default.")
    rendering = rendering_of(resolved, builder)
    held_out = _shard(split.held_out, "held-out", fitted, rendering, observer) if split.held_out.n_bytes else None
    return Prepared(
        resolved=resolved,
        notes=tuple(notes),
        split=split,
        tokenizer=fitted.tokenizer,
        tokenizer_folder=fitted.folder,
        tokenizer_fingerprint=fitted.fingerprint,
        builder=builder,
        vocabulary=Vocabulary.of(fitted.tokenizer, builder.special_tokens),
        train=train,
        held_out=held_out,
        reason=reason,
    )


def _shard(
    part: Part, name: str, fitted: Fitted, rendering: Rendering, observer: RunObserver, seed: int | None = None
) -> TokenShard:
    def tell(done: int, total: int) -> None:
        observer.on_preparation(Preparation(what=f"Tokenizing the {name} text", done=done / max(total, 1)))

    return tokenize_split(part, fitted.tokenizer, fitted.fingerprint, cache_directory(), tell, rendering, seed)


def _tokenizer(
    resolved: Resolved,
    catalogue: Catalogue,
    observer: RunObserver,
    kept: Kept | None,
    start: StartTokenizer | None,
    situation: Situation | None,
) -> tuple[Fitted, Split, str]:
    if kept is None and start is None:
        return _fitted(resolved, catalogue, observer, situation)
    split = open_split(resolved, catalogue, observer)
    options = resolved.options["tokenizer"]
    if kept is None:
        assert start is not None
        made = Fitted(tokenizer=start.tokenizer, folder=start.folder, fingerprint=start.fingerprint, options=options)
        return made, split, ""
    if split.fingerprint != kept.data_fingerprint:
        raise EngineError(
            "The text must be what it was when the run was started; it has changed.",
            "Put it back as it was, or start a new run.",
            code="text-changed",
        )
    made = Fitted(
        tokenizer=kept.tokenizer, folder=kept.tokenizer_folder, fingerprint=kept.tokenizer_fingerprint, options=options
    )
    return made, split, ""
