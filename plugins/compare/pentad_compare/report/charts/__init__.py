"""Charts as inline SVG in two sizes: wide for screens and paper, narrow for telephones, with letters of the same size."""
