"""Parameter estimation: the job, its cost, the loop, the step."""
