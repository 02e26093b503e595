"""Adapters for pentad: `lora` and `freeze`."""
