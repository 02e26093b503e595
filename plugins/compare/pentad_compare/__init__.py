"""Comparisons: `engine compare`, every stage swapped under one budget, with paired seeds and intervals."""
