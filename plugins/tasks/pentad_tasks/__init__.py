"""Verifiable tasks for pentad: corpora, the rewards that check their answers, and the evaluator `task-accuracy`."""
