"""Where a text stands in the text that a model learned from: the command `engine trace` and the page Trace."""
