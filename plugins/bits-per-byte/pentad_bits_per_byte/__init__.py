"""Evaluator for pentad: bits per byte of held-out text."""
