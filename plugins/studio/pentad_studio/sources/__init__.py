"""What the pages work with: tokenizers, open models, and options as fields of a form."""
