"""A run's folder: its files, its checkpoints, and opening it again."""
