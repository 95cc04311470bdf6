"""``python -m experiments.speed`` answers the question of this folder."""

import sys

from experiments.speed.study import EXPERIMENT

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
