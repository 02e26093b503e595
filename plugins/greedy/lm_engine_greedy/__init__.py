"""Greedy sampler for lm-engine: always the likeliest token."""
