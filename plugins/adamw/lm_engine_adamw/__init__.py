"""Optimizer for lm-engine: AdamW with weight decay on matrices only."""
