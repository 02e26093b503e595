"""Samplers for pentad that write what a regular expression, a JSON Schema or a grammar allows."""
