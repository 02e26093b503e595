"""Example builder for lm-engine: every prefix of a text and its next token."""
