"""``python -m experiments.noisy_reference`` answers the question of this folder."""

import sys

from experiments.noisy_reference.study import EXPERIMENT

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
