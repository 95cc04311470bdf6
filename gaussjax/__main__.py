"""``python -m gaussjax`` is the ``gaussjax`` command."""

import sys

from gaussjax.cli import main

if __name__ == "__main__":
    sys.exit(main())
