"""The report of a comparison: one HTML file that needs no network and no script, for the screen, the telephone and paper.

`charts` draws figures as inline SVG by `pentad_cli.charts`, `sections` turns the records into the parts of the page,
`templates` and `page.css` are the page. Everything that comes from data is made visible and escaped in two places only:
`page.environment` for the templates and `pentad_cli.charts.element` for the figures.
"""
