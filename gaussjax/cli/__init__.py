"""The ``gaussjax`` command: parse, read, call, print, exit code. May import every folder below."""

import sys
from collections.abc import Sequence

from gaussjax.cli.interrupts import INTERRUPTED, interrupted_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; see :func:`gaussjax.cli.app.main`. Installed scripts call this name."""
    # Before anything else is imported: Ctrl-C may come meanwhile.
    try:
        from gaussjax.cli.app import main as run

        return run(arguments)
    except KeyboardInterrupt as interrupt:
        print(interrupted_line(interrupt), file=sys.stderr)
        return INTERRUPTED
