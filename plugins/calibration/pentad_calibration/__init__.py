"""Evaluator for pentad: whether a model is as sure as it is right."""
