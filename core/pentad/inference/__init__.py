"""What a trained model is for: its logits, scores and texts."""
