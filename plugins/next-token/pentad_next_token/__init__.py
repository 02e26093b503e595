"""Example builder for pentad: packed windows over documents, every next token learned."""
