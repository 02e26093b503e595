"""The corpus python-docs for lm-engine: the language reference that every CPython ships."""
