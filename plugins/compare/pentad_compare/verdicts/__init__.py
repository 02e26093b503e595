"""From scores to verdicts: which arms compare, intervals, and what makes a verdict doubtful."""
