"""The way of the text: records, documents, split, tokens."""
