"""Bidirectional transformer for pentad: BERT, for builders that hide tokens."""
