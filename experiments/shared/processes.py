"""A Python process of its own, for what depends on what a process has done before."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_python(arguments: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess:
    """Run the interpreter with these arguments and more environment variables, as text."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    environment = {**os.environ, "PYTHONPATH": path, **variables}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, check=True, capture_output=True, text=True
    )
