"""``python -m experiments.real_pairs`` answers the question of this folder."""

import sys

from experiments.real_pairs.study import EXPERIMENT

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
