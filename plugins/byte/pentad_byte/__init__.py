"""Byte tokenizer for pentad: every byte of the text is a token."""
