"""What a person sees: displays, plans, charts, progress, and words for numbers."""
