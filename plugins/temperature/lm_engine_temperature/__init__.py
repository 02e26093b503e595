"""Sampler for lm-engine: draw from the whole distribution, sharpened or flattened."""
