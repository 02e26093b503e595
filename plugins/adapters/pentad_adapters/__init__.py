"""Adapters for pentad: `lora`, `ia3`, `soft-prompt` and `freeze`."""
