"""Sampler for lm-engine: draw among the k likeliest tokens."""
