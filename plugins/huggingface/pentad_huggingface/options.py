"""Options of this distribution, in a module that is imported only when one of them is chosen or shown."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class HuggingFaceOptions:
    """Options of a tokenizer that was trained elsewhere."""

    path: str = option("", "The tokenizer.json, or the folder that holds it; the run keeps a copy.")
    end_of_text: str = option(
        "", "How the file spells the token that ends a text; left empty, the usual ones are looked for, and else one is added."
    )
    prefix_space: bool = option(
        True,
        "Keep the space that some tokenizers put in front of every text, so that ids are the library's; false leaves it out, "
        "without which many of them lose nothing.",
    )
