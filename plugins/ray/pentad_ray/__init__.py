"""Executor for pentad: the runs of `engine compare` over a Ray cluster."""
