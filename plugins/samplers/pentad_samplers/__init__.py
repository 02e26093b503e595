"""Samplers for pentad: truncations, mirostat, penalties on repetition, and banned words."""
