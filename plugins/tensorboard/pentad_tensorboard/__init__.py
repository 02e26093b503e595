"""Observer for pentad: a run's curves, texts and recipe in TensorBoard."""
