"""The page Text: what a run learned from and what was held out, to be browsed and searched, and how well each part is told."""
