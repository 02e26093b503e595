"""Observer for lm-engine: a run's curves, texts and recipe in TensorBoard."""
