"""What lies beyond a frame: how far a kernel may reach, and whether its edge leaves a seam."""

from gaussjax.model import boundary as borders
from gaussjax.model.array_checks import is_traced
from gaussjax.model.kernels import Kernel
from gaussjax.model.options import GENERALISED, PADDED_BOUNDARIES


def largest_radius(image_shape: tuple[int, ...], kernel: Kernel, boundary: str, bounds) -> int:
    """Static px that the kernel may reach; see ``boundary`` of :func:`~gaussjax.estimate_blur`."""
    if boundary == "periodic":
        return max(image_shape)
    if boundary == "valid":
        return max(borders.largest_margins(image_shape))
    sigma = borders.LARGEST_SIGMA * min(image_shape)
    if bounds is not None and not is_traced(bounds):
        # A kernel longer than the frame blurs little but the extension.
        sigma = min(max(abs(float(bound)) for bound in bounds), max(image_shape))
    return min(kernel.reach(sigma), max(image_shape))


def model_limits(
    image_shape: tuple[int, ...], boundary: str, radius: int
) -> tuple[int, tuple[int, ...]]:
    """Largest radius of taps, and px per axis that a prediction may be wrong inside of an edge.

    Only of a valid region are these fewer than the radius: a periodic frame loses no pixels to a
    blur that is wider than its shorter axis, and neither does an extended one.
    """
    is_valid = boundary == "valid"
    margins = borders.largest_margins(image_shape) if is_valid else (radius,) * len(image_shape)
    # "integrated" sums its taps half as far again as its tail matters.
    return radius + radius // 2 + 2, margins


def radii(
    image_shape: tuple[int, ...], boundary: str, bounds, largest: int, *, first: bool
) -> list[int]:
    """Px that the kernel may reach in one fit after another, until one is not too narrow.

    Of a padded frame, each of whose pixels costs; wide blurs are rare. Bounds on sigma choose the
    radius; ``largest`` is that of :func:`largest_radius`. ``first``: begin with an eighth of the
    frame.
    """
    if boundary not in PADDED_BOUNDARIES or bounds is not None:
        return [largest]
    steps = [min(image_shape) // 8] * first + [min(borders.largest_margins(image_shape))]
    return [radius for radius in steps if radius < largest] + [largest]


def jumps(boundary: str, kernel: Kernel) -> bool:
    """A kernel without an end spreads what an image jumps by at the edge of its frame."""
    return boundary != "periodic" and not kernel.is_finite


def is_seamless(boundary: str, kernel: Kernel, family: str, *, shift: bool = False) -> bool:
    """The jump at the frame's edge is left out: harmless to an isotropic blur by itself."""
    return jumps(boundary, kernel) and family in ("isotropic", GENERALISED) and not shift
