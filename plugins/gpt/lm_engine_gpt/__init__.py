"""Decoder-only transformer for lm-engine: GPT-2 is one setting of it, the defaults are a modern one."""
