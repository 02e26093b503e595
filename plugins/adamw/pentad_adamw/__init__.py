"""Optimizer for pentad: AdamW with weight decay on matrices only."""
