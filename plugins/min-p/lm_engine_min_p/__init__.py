"""Sampler for lm-engine: draw among tokens not far less likely than the likeliest."""
