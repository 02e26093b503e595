"""The corpus python-docs for pentad: the language reference that every CPython ships."""
