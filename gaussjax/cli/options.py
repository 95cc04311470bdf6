"""Options that several commands of ``gaussjax`` share, and their help. No JAX here."""

import argparse
import math
import os
from pathlib import Path

_LARGEST_TRUNCATE = 40  # sigmas; beyond 39 the taps underflow to zero even in float64
_FIGURES = (".png", ".pdf", ".svg")
BAD_INPUT = 2  # exit code
DEFAULT_TRUNCATE = 4.0  # as in estimate_blur; None on the command line tells "not given"
# The same names as in the modules that own them, which import JAX.
FAMILIES = ("isotropic", "axis_aligned", "full")
KERNELS = ("continuous", "sampled", "integrated", "discrete")
PADDED_BOUNDARIES = ("reflect", "nearest", "zero")
BOUNDARIES = ("valid", "periodic", *PADDED_BOUNDARIES)
LOSSES = ("squared", "absolute", "huber")
KERNEL_HELP = """\
kernels (what "sigma" means to the tool that blurs; they differ below about 1 px):
  continuous  the Gaussian exp(-sigma^2 w^2 / 2) itself, for optics and physics
  sampled     its values at the pixel centres, cut off: SciPy, OpenCV, scikit-image, kornia
  integrated  its mass on every pixel, for detectors
  discrete    the discrete analogue exp(sigma^2 (cos w - 1)), for scale space
"""
FILE_HELP = """
Files are PNG, JPEG, BMP, GIF, WebP, TIFF (8 bit, 16 bit, float) or .npy; colour is reduced to
luminance, but in .npy no axis is read as colour. Use --linearize if the blur happened in light (a
lens, a defocus, a renderer that works in linear light) and the files are ordinary sRGB pictures:
blur is linear in light, and stored sRGB values are not. Leave it out if a program blurred the
stored values, as SciPy, OpenCV and most image editors do, or if the files hold linear data.
"""
CACHE_HELP = """
Compiled programs are kept in the user's cache folder, up to 64 MiB, to start sooner the next time.
GAUSSJAX_CACHE in the environment names another folder; GAUSSJAX_CACHE=0 keeps none.
"""
_NOISE_UNIT = (
    "standard deviations of the noise in REFERENCE and in BLURRED, as the values are stored"
    " (0 to 255 in 8 bit, 0 to 65535 in 16 bit, 0 to 1 with --linearize)"
)


def add_family_option(parser: argparse.ArgumentParser) -> None:
    """Of the Gaussian."""
    parser.add_argument(
        "--family",
        choices=FAMILIES,
        default="isotropic",
        help="one sigma (default), one per axis (y first), or a covariance, of which the sigmas"
        " along the principal axes are printed, largest first",
    )


def add_kernel_options(parser: argparse.ArgumentParser) -> None:
    """What sigma means."""
    parser.add_argument(
        "--kernel", choices=KERNELS, default="continuous", help="default: %(default)s; see below"
    )
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument(
        "--truncate",
        type=truncate,
        help="sampled kernel: its radius is int(TRUNCATE * sigma + 0.5) px; default: 4",
    )
    extent.add_argument("--radius", type=radius, help="sampled kernel: its fixed radius, px")


def add_pair_options(parser: argparse.ArgumentParser) -> None:
    """Of the fit of one pair of images, or of its tiles."""
    parser.add_argument(
        "--bounds",
        nargs=2,
        type=finite,
        metavar=("LOW", "HIGH"),
        help="least and largest sigma, px",
    )
    add_start_option(parser)
    parser.add_argument(
        "--loss",
        choices=LOSSES,
        default="squared",
        help="of a pixel's residual; absolute and huber care little for outliers; default: squared",
    )
    parser.add_argument("--gain", action="store_true", help="fit a factor between the images")
    parser.add_argument("--offset", action="store_true", help="fit a constant between the images")
    parser.add_argument("--shift", action="store_true", help="fit a displacement of the images")
    parser.add_argument(
        "--noise",
        nargs="+",
        type=noise,
        metavar="SD",
        help=f"{_NOISE_UNIT}; or the word estimate; default: noise in BLURRED only",
    )
    parser.add_argument(
        "--mask", metavar="FILE", help="image of which pixels of BLURRED to use: those not 0"
    )
    parser.add_argument(
        "--mask-reference", metavar="FILE", help="the same for REFERENCE; others may be NaN"
    )
    add_linearize_option(parser)


def add_noise_levels(parser: argparse.ArgumentParser) -> None:
    """Two numbers for all pairs."""
    parser.add_argument(
        "--noise",
        nargs=2,
        type=noise_level,
        metavar="SD",
        help=f"{_NOISE_UNIT}; default: noise in BLURRED only",
    )


def add_start_option(parser: argparse.ArgumentParser) -> None:
    """Where the search begins."""
    parser.add_argument("--initial", type=finite, metavar="SIGMA", help="first guess, px")


def add_linearize_option(parser: argparse.ArgumentParser) -> None:
    """Light, or the stored values."""
    parser.add_argument(
        "--linearize", action="store_true", help="decode sRGB to linear light first; see below"
    )


def check_kernel(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse the extent of a kernel that has none."""
    if options.kernel != "sampled" and (options.truncate or options.radius):
        parser.error("--truncate and --radius belong to --kernel sampled")


def check_pair_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse what contradicts itself; noise becomes a pair, the word "estimate" or None."""
    if options.bounds and options.bounds[0] >= options.bounds[1]:
        parser.error("--bounds: LOW must be less than HIGH")
    if options.noise is None:
        return
    if options.loss != "squared":
        parser.error("--noise goes with --loss squared")
    if options.noise == ["estimate"]:
        options.noise = "estimate"
    elif len(options.noise) != 2 or "estimate" in options.noise or not any(options.noise):
        parser.error("--noise: give two standard deviations, not both 0, or the word estimate")
    else:
        options.noise = tuple(options.noise)


def finite(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def positive(text: str) -> float:
    """A finite number above 0."""
    value = finite(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not positive")
    return value


def truncate(text: str) -> float:
    """The radius of a kernel, in sigmas."""
    value = positive(text)
    if value > _LARGEST_TRUNCATE:
        raise argparse.ArgumentTypeError(f"{text!r} is more than {_LARGEST_TRUNCATE} sigma")
    return value


def radius(text: str) -> int:
    """The radius of a kernel, in px."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of px above 0")
    return int(text)


def count(text: str) -> int:
    """A whole number above 0."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def count_or_none(text: str) -> int:
    """A whole number, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def noise_level(text: str) -> float:
    """A standard deviation, 0 or more."""
    value = finite(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is less than 0")
    return value


def noise(text: str) -> float | str:
    """A standard deviation, 0 or more, or the word "estimate"."""
    if text == "estimate":
        return text
    try:
        value = finite(text)
    except argparse.ArgumentTypeError:
        value = -1.0
    if value < 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a noise level, 0 or more, nor the word estimate; name the two"
            " files before this option"
        )
    return value


def figure_path(text: str) -> str:
    """The name of a figure, in a folder that exists."""
    path = Path(text)
    if path.suffix.lower() not in _FIGURES:
        raise argparse.ArgumentTypeError(f"{text!r} does not end in {', '.join(_FIGURES)}")
    return output_path(text)


def output_path(text: str) -> str:
    """The name of a file to write, in a folder that exists."""
    path = Path(text)
    if not os.path.isdir(path.parent):
        raise argparse.ArgumentTypeError(f"{text!r}: no such folder")
    if not text or path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a file")
    return text
