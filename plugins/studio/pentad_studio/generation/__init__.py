"""The page Generation: what a model writes, token by token, and what it might have written instead."""
