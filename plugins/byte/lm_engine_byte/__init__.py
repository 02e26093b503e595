"""Byte tokenizer for lm-engine: every byte of the text is a token."""
