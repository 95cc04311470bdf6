"""``python -m experiments.seed_protocol`` answers the question of this folder."""

import sys

from experiments.seed_protocol.study import EXPERIMENT

if __name__ == "__main__":
    sys.exit(EXPERIMENT.main())
