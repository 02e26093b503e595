"""The checks of the five stages, a file for each contract."""
