"""The page Chat: a conversation with a run, or lines that a run continues which has learned none."""
