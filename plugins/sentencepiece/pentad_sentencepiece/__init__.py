"""SentencePiece for pentad: unigram or byte-pair pieces, lossless."""
