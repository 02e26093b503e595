"""`python -m pentad_cli` is `engine`, for where the console script is not on the PATH."""

from __future__ import annotations

from pentad_cli.main import main

if __name__ == "__main__":
    main()
