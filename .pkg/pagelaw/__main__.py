"""`python -m pagelaw` is the `pagelaw` command."""

import sys

from pagelaw.model.cli import main

if __name__ == "__main__":
    sys.exit(main())
