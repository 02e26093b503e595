"""SentencePiece for lm-engine: unigram or byte-pair pieces, lossless."""
