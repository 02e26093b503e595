"""Optimizer for lm-engine: Muon for the matrices, AdamW for the rest."""
