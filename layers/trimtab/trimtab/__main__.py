"""Main: `python -m trimtab` is the console script."""

import sys

from trimtab.cli import main

if __name__ == "__main__":
    sys.exit(main())
