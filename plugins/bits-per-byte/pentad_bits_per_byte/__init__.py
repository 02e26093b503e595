"""Greedy sampler for pentad: always the likeliest token."""
