"""Byte-pair encoding for lm-engine, trained on the user's text with tokenizers, encoded by tiktoken."""
