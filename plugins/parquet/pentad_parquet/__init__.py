"""Parquet files (.parquet) as texts for pentad."""
