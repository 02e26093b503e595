"""Characters and WordPiece for pentad, both lossless unless they are told otherwise."""
