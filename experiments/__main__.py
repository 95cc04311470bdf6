"""Every experiment, one after the other: all figures and numbers of the pages."""

import sys
from collections.abc import Sequence

from experiments import (
    border,
    chroma,
    conventions,
    convergence,
    cramer_rao,
    exponent,
    first_look,
    fleet,
    frequency_ratio,
    many_pairs,
    resized,
    training,
    which_kernel,
)
from experiments.blur_map import study as blur_map
from experiments.coarse_grid import study as coarse_grid
from experiments.compare_estimators import study as compare_estimators
from experiments.noisy_reference import study as noisy_reference
from experiments.real_pairs import study as real_pairs
from experiments.seed_protocol import study as seed_protocol
from experiments.shared import common
from experiments.silent_errors import study as silent_errors
from experiments.speed import study as speed

# In the order of docs/study/index.md.
EXPERIMENTS = {
    module.EXPERIMENT.stem: module.EXPERIMENT
    for module in (
        first_look,
        compare_estimators,
        frequency_ratio,
        cramer_rao,
        border,
        noisy_reference,
        convergence,
        conventions,
        exponent,
        which_kernel,
        training,
        real_pairs,
        coarse_grid,
        resized,
        chroma,
        silent_errors,
        blur_map,
        many_pairs,
        fleet,
        speed,
        seed_protocol,
    )
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer the questions named on the command line, or all of them."""
    parser = common.parser(__doc__ or "")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(EXPERIMENTS))
    parser.prog = "python -m experiments"
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(EXPERIMENTS))
    if unknown:
        parser.error(f"no such experiment: {', '.join(unknown)}")
    for name in options.names or EXPERIMENTS:
        EXPERIMENTS[name].answer(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
