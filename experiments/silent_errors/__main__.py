"""``python -m experiments.silent_errors`` answers the question of this folder."""

import sys

from experiments.silent_errors.study import EXPERIMENT

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
