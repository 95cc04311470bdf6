"""``python -m experiments.blur_map`` answers the question of this folder."""

import sys

from experiments.blur_map.study import EXPERIMENT

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
