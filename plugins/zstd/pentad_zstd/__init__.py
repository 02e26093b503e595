"""Zstandard compression (.zst) for the texts of pentad."""
