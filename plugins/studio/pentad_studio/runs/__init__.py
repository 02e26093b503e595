"""Runs on the disk and in processes: listed, followed as they grow, started and stopped."""
