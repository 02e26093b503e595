"""Example builder for pentad: every prefix of a text and its next token."""
