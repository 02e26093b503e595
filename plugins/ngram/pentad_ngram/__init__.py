"""N-gram model for pentad: counted, interpolated modified Kneser-Ney, the baseline that a trained model must beat."""
