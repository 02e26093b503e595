"""Parquet files (.parquet) as texts for lm-engine."""
