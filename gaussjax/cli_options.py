"""The arguments of the ``gaussjax`` command: their parser, checks and help. No JAX here."""

import argparse
import math
from collections.abc import Sequence
from importlib import metadata
from typing import Any, NoReturn

BAD_INPUT = 2  # exit code
DEFAULT_TRUNCATE = 4.0  # as in estimate_blur; None on the command line tells "not given"
_LARGEST_TRUNCATE = 40  # sigmas; beyond 39 the taps underflow to zero even in float64

# The same names as in the modules that own them, which import JAX.
FAMILIES = ("isotropic", "axis_aligned", "full")
KERNELS = ("continuous", "sampled", "integrated", "discrete")
PADDED_BOUNDARIES = ("reflect", "nearest", "zero")
BOUNDARIES = ("valid", "periodic", *PADDED_BOUNDARIES)

_KERNEL_HELP = """\
kernels (what "sigma" means to the tool that blurs; they differ below about 1 px):
  continuous  the Gaussian exp(-sigma^2 w^2 / 2) itself, for optics and physics
  sampled     its values at the pixel centres, cut off: SciPy, OpenCV, scikit-image, kornia
  integrated  its mass on every pixel, for detectors
  discrete    the discrete analogue exp(sigma^2 (cos w - 1)), for scale space
"""
_ESTIMATE_HELP = """
Files are PNG, JPEG, BMP, GIF, WebP, TIFF (8 bit, 16 bit, float) or .npy; colour is reduced to
luminance. Use --linearize if the blur happened in light (a lens, a defocus, a renderer that works
in linear light) and the files are ordinary sRGB pictures: blur is linear in light, and stored sRGB
values are not. Leave it out if a program blurred the stored values, as SciPy, OpenCV and most
image editors do, or if the files hold linear data.

exit codes: 0 estimated, 1 estimated but not to be trusted (see the status), 2 bad input
"""


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Arguments of ``gaussjax estimate`` or ``gaussjax blur``; None takes the command line's.

    Raises:
        SystemExit: after --help and --version (code 0) and errors (code 2, one line on stderr).
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    _check_combinations(parser, options)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gaussjax", description="Estimate the Gaussian blur between two images of one scene."
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    estimate = commands.add_parser(
        "estimate",
        help="sigma of the Gaussian that turns one image into the other",
        description="Estimate the Gaussian blur that turns REFERENCE into BLURRED.",
        epilog=_KERNEL_HELP + _ESTIMATE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    estimate.add_argument("reference", metavar="REFERENCE", help="file of the sharp image")
    estimate.add_argument("blurred", metavar="BLURRED", help="file of the softer image")
    estimate.add_argument(
        "--family",
        choices=FAMILIES,
        default="isotropic",
        help="one sigma (default), one per axis (y first), or a covariance, of which the sigmas"
        " along the principal axes are printed, largest first",
    )
    _add_kernel_options(estimate)
    estimate.add_argument(
        "--boundary",
        choices=BOUNDARIES,
        default="valid",
        help="valid (default) compares only pixels that the blur cannot reach from outside; the"
        " others compare the whole frame and assume what lies beyond it",
    )
    estimate.add_argument(
        "--bounds",
        nargs=2,
        type=_finite,
        metavar=("LOW", "HIGH"),
        help="least and largest sigma, px",
    )
    estimate.add_argument("--initial", type=_finite, metavar="SIGMA", help="first guess, px")
    estimate.add_argument(
        "--linearize", action="store_true", help="decode sRGB to linear light first; see below"
    )
    estimate.add_argument("--json", action="store_true", help="print one JSON object")

    blur = commands.add_parser(
        "blur",
        help="blur one image, to have a pair to play with",
        description="Blur the stored values of an image by a Gaussian; colour becomes luminance.",
        epilog=_KERNEL_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    blur.add_argument("image", metavar="IMAGE", help="file to blur")
    blur.add_argument("--sigma", type=_positive, required=True, help="standard deviation, px")
    blur.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="ends in .png (8 or 16 bit as the input), .tif (float32) or .npy (float64)",
    )
    _add_kernel_options(blur)
    blur.add_argument(
        "--boundary", choices=BOUNDARIES[1:], default="reflect", help="default: %(default)s"
    )
    return parser


def _add_kernel_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kernel", choices=KERNELS, default="continuous", help="default: %(default)s; see below"
    )
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument(
        "--truncate",
        type=_truncate,
        help="sampled kernel: its radius is int(TRUNCATE * sigma + 0.5) px; default: 4",
    )
    extent.add_argument("--radius", type=_radius, help="sampled kernel: its fixed radius, px")


def _check_combinations(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options that contradict each other or would be ignored."""
    if options.kernel != "sampled" and (options.truncate or options.radius):
        parser.error("--truncate and --radius belong to --kernel sampled")
    if options.command == "estimate" and options.bounds and options.bounds[0] >= options.bounds[1]:
        parser.error("--bounds: LOW must be less than HIGH")


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        message = " ".join(message.split())
        self.exit(BAD_INPUT, f"gaussjax: error: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    """Print the version; looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        try:
            version = metadata.version("gaussjax")
        except metadata.PackageNotFoundError:
            version = "(not installed)"
        print(f"gaussjax {version}")
        parser.exit()


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def _positive(text: str) -> float:
    value = _finite(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not positive")
    return value


def _truncate(text: str) -> float:
    value = _positive(text)
    if value > _LARGEST_TRUNCATE:
        raise argparse.ArgumentTypeError(f"{text!r} is more than {_LARGEST_TRUNCATE} sigma")
    return value


def _radius(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of px above 0")
    return int(text)
