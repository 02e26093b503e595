"""What is done to runs, caches, comparisons and readers."""
