"""Example builder for lm-engine: packed windows over documents, every next token learned."""
