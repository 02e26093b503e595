"""Measurements of generated texts and of tokenizers, made inside tasks."""
