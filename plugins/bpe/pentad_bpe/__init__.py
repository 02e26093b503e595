"""Byte-pair encoding for pentad, trained on the user's text with tokenizers, encoded by tiktoken."""
