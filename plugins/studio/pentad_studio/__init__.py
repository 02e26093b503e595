"""engine studio: see what a language model does, in the browser, on your own text and models."""
