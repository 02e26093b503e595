"""Optimizer for pentad: Muon for the matrices, AdamW for the rest."""
