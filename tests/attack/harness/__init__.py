"""How cases are done, counted and shared out: each in a process that it may spoil."""
