"""``python -m experiments.compare_estimators`` answers the question of this folder."""

import sys

from experiments.compare_estimators.study import EXPERIMENT

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
