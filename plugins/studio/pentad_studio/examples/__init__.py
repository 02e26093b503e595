"""The page Examples: what an example builder makes of a text."""
