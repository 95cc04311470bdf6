"""The arguments of the ``gaussjax`` command: their parser, checks and help. No JAX here."""

import argparse
from collections.abc import Sequence
from importlib import metadata
from typing import Any, NoReturn

from gaussjax import cli_types as types

BAD_INPUT = 2  # exit code
DEFAULT_TRUNCATE = 4.0  # as in estimate_blur; None on the command line tells "not given"

# The same names as in the modules that own them, which import JAX.
FAMILIES = ("isotropic", "axis_aligned", "full")
KERNELS = ("continuous", "sampled", "integrated", "discrete")
PADDED_BOUNDARIES = ("reflect", "nearest", "zero")
BOUNDARIES = ("valid", "periodic", *PADDED_BOUNDARIES)
LOSSES = ("squared", "absolute", "huber")

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

exit codes:
  0  estimated
  1  estimated but not to be trusted: a status other than 0, or a verdict that the images are
     misaligned, that a Gaussian blur explains the pair poorly, or that the pair does not tell
  2  bad input
"""
_CACHE_HELP = """
Compiled programs are kept in the user's cache folder, up to 64 MiB, to start sooner the next time.
GAUSSJAX_CACHE in the environment names another folder; GAUSSJAX_CACHE=0 keeps none.
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
        epilog=_KERNEL_HELP + _ESTIMATE_HELP + _CACHE_HELP,
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
    _add_fit_options(estimate)
    _add_output_options(estimate)

    blur = commands.add_parser(
        "blur",
        help="blur one image, to have a pair to play with",
        description="Blur the stored values of an image by a Gaussian; colour becomes luminance.",
        epilog=_KERNEL_HELP + _CACHE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    blur.add_argument("image", metavar="IMAGE", help="file to blur")
    blur.add_argument("--sigma", type=types.positive, required=True, help="standard deviation, px")
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


def _add_fit_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bounds",
        nargs=2,
        type=types.finite,
        metavar=("LOW", "HIGH"),
        help="least and largest sigma, px",
    )
    parser.add_argument("--initial", type=types.finite, metavar="SIGMA", help="first guess, px")
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
        type=types.noise,
        metavar="SD",
        help="standard deviations of the noise in REFERENCE and in BLURRED, as the values are"
        " stored (0 to 255 in 8 bit, 0 to 65535 in 16 bit, 0 to 1 with --linearize); or the word"
        " estimate; default: noise in BLURRED only",
    )
    parser.add_argument(
        "--mask", metavar="FILE", help="image of which pixels of BLURRED to use: those not 0"
    )
    parser.add_argument(
        "--mask-reference", metavar="FILE", help="the same for REFERENCE; others may be NaN"
    )
    parser.add_argument(
        "--linearize", action="store_true", help="decode sRGB to linear light first; see below"
    )


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fwhm", action="store_true", help="print the full width at half maximum first"
    )
    parser.add_argument(
        "--pixel-size",
        type=types.positive,
        metavar="SIZE",
        help="of a pixel in UNIT, to print lengths in",
    )
    parser.add_argument("--unit", metavar="UNIT", help="of SIZE, such as arcsec or um")
    parser.add_argument(
        "--plot",
        type=types.figure_path,
        metavar="FILE",
        help="draw images, residual and transfer functions, and compare all families, which takes"
        " up to a minute; .png, .pdf or .svg",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_kernel_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kernel", choices=KERNELS, default="continuous", help="default: %(default)s; see below"
    )
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument(
        "--truncate",
        type=types.truncate,
        help="sampled kernel: its radius is int(TRUNCATE * sigma + 0.5) px; default: 4",
    )
    extent.add_argument("--radius", type=types.radius, help="sampled kernel: its fixed radius, px")


def _check_combinations(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options that contradict each other or would be ignored."""
    if options.kernel != "sampled" and (options.truncate or options.radius):
        parser.error("--truncate and --radius belong to --kernel sampled")
    if options.command != "estimate":
        return
    if options.bounds and options.bounds[0] >= options.bounds[1]:
        parser.error("--bounds: LOW must be less than HIGH")
    if (options.unit is None) != (options.pixel_size is None):
        parser.error("--pixel-size and --unit go together")
    if options.noise is None:
        return
    if options.loss != "squared":
        parser.error("--noise goes with --loss squared")
    if options.noise == ["estimate"]:
        options.noise = "estimate"
    elif len(options.noise) != 2 or "estimate" in options.noise or not any(options.noise):
        parser.error("--noise: give two standard deviations, not both 0, or the word estimate")


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
