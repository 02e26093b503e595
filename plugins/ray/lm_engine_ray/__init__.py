"""Executor for lm-engine: the runs of `engine compare` over a Ray cluster."""
