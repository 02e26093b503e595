"""The output of a comparison in a terminal."""
