"""Sampler for pentad: draw from the whole distribution, sharpened or flattened."""
