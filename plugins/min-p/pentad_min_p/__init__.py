"""Sampler for pentad: draw among tokens not far less likely than the likeliest."""
