"""Sampler for pentad: draw among the likeliest tokens that together have probability p."""
