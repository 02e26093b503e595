"""Learning from preferences, for pentad: the example builder `dpo` and the evaluator `preference-accuracy`."""
