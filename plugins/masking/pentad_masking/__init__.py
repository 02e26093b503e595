"""Self-supervision by hiding parts of the text, for pentad: masked tokens, gaps, corrupted spans, and their scores."""
