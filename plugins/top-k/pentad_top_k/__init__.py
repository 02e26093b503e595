"""Sampler for pentad: draw among the k likeliest tokens."""
