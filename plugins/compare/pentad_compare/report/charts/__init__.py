"""The charts of a comparison, in two sizes: wide for screens and paper, narrow for telephones."""
