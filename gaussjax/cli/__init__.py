"""The ``gaussjax`` command: parse, read, call, print, exit code. May import every folder below."""

import sys
from collections.abc import Sequence

INTERRUPTED = 130  # what a shell reports for a process ended by SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; see :func:`gaussjax.cli.app.main`. Installed scripts call this name."""
    # Before anything else is imported: Ctrl-C may come meanwhile.
    try:
        from gaussjax.cli.app import main as run

        return run(arguments)
    except KeyboardInterrupt as interrupt:
        print(interrupted_line(interrupt), file=sys.stderr)
        return INTERRUPTED


def interrupted_line(interrupt: KeyboardInterrupt) -> str:
    """What is said of an interrupt: with what its raiser knows of what is kept."""
    return ": ".join(["gaussjax: interrupted", *(str(each) for each in interrupt.args)])
