"""Decoder-only transformer for pentad: GPT-2 is one setting of it, the defaults are a modern one."""
