"""The ``gaussjax`` command: parse, read, call, print, exit code. May import every folder below."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; see :func:`gaussjax.cli.app.main`. Installed scripts call this name."""
    from gaussjax.cli.app import main as run

    return run(arguments)
