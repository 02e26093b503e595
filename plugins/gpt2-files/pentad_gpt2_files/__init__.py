"""The model files of GPT-2 for pentad."""
