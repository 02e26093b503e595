"""GPT-2's published vocabulary for pentad, without a network."""
