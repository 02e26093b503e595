"""Zstandard compression (.zst) for the texts of lm-engine."""
