"""The version of core, where files of runs and the public door both find it."""

VERSION = "0.1.0"
