"""Recurrent language model for lm-engine: LSTM, GRU or the plain cell."""
