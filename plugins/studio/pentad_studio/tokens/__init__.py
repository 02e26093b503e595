"""The page Tokens: how tokenizers cut a text, side by side, and how one of them puts a word together."""
