"""Sampler for lm-engine: draw among the likeliest tokens that together have probability p."""
