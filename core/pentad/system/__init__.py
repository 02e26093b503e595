"""What the machine gives: errors, files that are whole or absent, the cache, the device, the processes."""

VERSION = "0.1.0"
"""The version of core, where files of runs and the public door both find it."""
