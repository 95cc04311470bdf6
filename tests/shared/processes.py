"""Processes of their own, for what only a fresh interpreter can show."""

import os
import subprocess
import sys

COMMAND = "from gaussjax.cli import main; import sys; sys.exit(main(sys.argv[1:]))"


def run_process(script, *arguments, stdout=subprocess.PIPE, **variables):
    """Run Python: the same packages, the compiler's own settings, and these in the environment."""
    return start_process(script, *arguments, stdout=stdout, **variables)()


def start_process(script, *arguments, stdout=subprocess.PIPE, **variables):
    """The same in the background; call what is returned to wait for it."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "XLA_FLAGS": "", **variables},
    )

    def finish():
        output, errors = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    return finish
