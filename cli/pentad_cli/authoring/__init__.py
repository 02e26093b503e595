"""For authors of plugins: checks of what is installed, and new distributions from templates."""
