"""The checks of what plugins offer beside the stages, a file for each kind."""
