"""Text to ids through tiktoken, kept from the texts on which it fails."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tiktoken

from pentad import END_OF_TEXT, TokenIds, utf8
from pentad_bpe.splitting import SplitPattern


class Encoder:
    """Byte pairs by their ranks.

    Args:
        pattern: cuts text into words.
        ranks: bytes of a token to its id, which is also its rank: the lower, the earlier it is merged. Holds every byte.
        end_of_text: an id that is no rank.
    """

    def __init__(self, pattern: SplitPattern, ranks: Mapping[bytes, int], end_of_text: int) -> None:
        self._pattern = pattern
        # Registered although text never reaches it: encode_to_numpy is fast only with a special token.
        special = {END_OF_TEXT: end_of_text}
        self._encoding = tiktoken.Encoding(
            "pentad", pat_str=pattern.tiktoken, mergeable_ranks=dict(ranks), special_tokens=special
        )

    def encode(self, text: str) -> TokenIds:
        """Return the ids (T,). Threads run side by side in here.

        Raises:
            UsageError: the text holds a lone surrogate.
        """
        pieces = [self._encode_piece(piece) for piece in self._pattern.safe_pieces(text)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _encode_piece(self, text: str) -> TokenIds:
        try:
            return self._encoding.encode_to_numpy(text, disallowed_special=()).copy()
        except UnicodeEncodeError:
            utf8(text)  # says where the lone surrogate is
            raise
