"""GPT-2's published vocabulary for lm-engine, without a network."""
