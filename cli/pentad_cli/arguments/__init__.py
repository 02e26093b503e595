"""From what was typed to what is meant: commands, their flags, the layers of a recipe, and hints where something is wrong."""
