"""minGRU for lm-engine: a recurrent network that learns all tokens of a row at once."""
