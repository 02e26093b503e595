"""The page Comparisons: the reports of `engine compare`, listed and opened."""
