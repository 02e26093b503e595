"""The commands, one a file; `pentad_cli.group` knows their names and summaries."""
