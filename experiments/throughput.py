"""``python -m experiments.throughput`` is ``python -m experiments.speed.throughput``."""

import sys

from experiments.speed.throughput import main

if __name__ == "__main__":
    sys.exit(main())
