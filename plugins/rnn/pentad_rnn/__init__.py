"""Recurrent language model for pentad: LSTM, GRU or the plain cell."""
