"""The commands, one a file; `lm_engine_cli.group` knows their names and summaries."""
