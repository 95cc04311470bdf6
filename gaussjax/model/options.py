"""The option names that callers and the command share. No JAX here."""

from typing import Literal, get_args

from gaussjax.checks import check_option as check_option

Family = Literal["isotropic", "axis_aligned", "full"]  # of Gaussians
# exp(-(s |w|)^p / 2), which is a Gaussian for p = 2 alone: where it is offered beside the Gaussians
Generalised = Literal["generalised"]
AnyFamily = Literal[Family, Generalised]
KernelName = Literal["continuous", "sampled", "integrated", "discrete"]
LossName = Literal["squared", "absolute", "huber"]
PaddedBoundary = Literal["reflect", "nearest", "zero"]
WholeFrame = Literal["periodic", PaddedBoundary]
Boundary = Literal["valid", WholeFrame]
Motion = Literal["similarity"]
Pixel = Literal["area", "point"]
Coordinate = Literal["variance", "log_sigma"]  # in which an optimiser moves

FAMILIES: tuple[Family, ...] = get_args(Family)
GENERALISED: Generalised = "generalised"
ALL_FAMILIES: tuple[AnyFamily, ...] = get_args(AnyFamily)
KERNELS: tuple[KernelName, ...] = get_args(KernelName)
LOSSES: tuple[LossName, ...] = get_args(LossName)
PADDED_BOUNDARIES: tuple[PaddedBoundary, ...] = get_args(PaddedBoundary)
WHOLE_FRAMES: tuple[WholeFrame, ...] = get_args(WholeFrame)
BOUNDARIES: tuple[Boundary, ...] = get_args(Boundary)
PIXELS: tuple[Pixel, ...] = get_args(Pixel)
MOTIONS: tuple[Motion, ...] = get_args(Motion)
NUISANCES = ("gain", "offset", "shift")
COORDINATES: tuple[Coordinate, ...] = get_args(Coordinate)
# The padding rule of numpy.pad. SciPy's "reflect" repeats the edge pixel, which NumPy calls
# "symmetric".
PAD_MODES: dict[str, str] = {"reflect": "symmetric", "nearest": "edge", "zero": "constant"}
# Sigmas; beyond 39 the taps of a kernel underflow to zero even in float64.
LARGEST_TRUNCATE = 40


def check_family(family: str) -> None:
    """Raise unless ``family`` is one of Gaussians: TypeError for no text, else ValueError."""
    if isinstance(family, str) and family == GENERALISED:
        raise ValueError(
            f"family={GENERALISED!r} is fitted by estimate_blur, pair by pair; here it must be"
            f" one of {', '.join(FAMILIES)}"
        )
    check_option(family, FAMILIES, "family")
