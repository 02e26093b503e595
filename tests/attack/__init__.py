"""Attacks on runs: processes are killed, calls of the system fail, files are damaged, readers get anything."""
