"""Speed on this machine: `python -m benchmarks` (or `make bench`) prints a table and writes benchmarks/results/NAME.json.

Whatever can be compared is run in turns with something written by hand in plain torch, in the same process, so that another
program on the machine slows both: read the ratios. LOG.md keeps what was tried, and what became of it.
"""
