"""minLSTM for pentad: a recurrent network that learns all tokens of a row at once."""
