"""How a run computes: which kernels, compiled or not; found out by measuring, and kept."""
