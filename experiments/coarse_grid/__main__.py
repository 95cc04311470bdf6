"""``python -m experiments.coarse_grid`` answers the question of this folder."""

import sys

from experiments.coarse_grid.study import EXPERIMENT

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
