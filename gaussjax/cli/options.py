"""Options that several commands of ``gaussjax`` share: help, checks and types. No JAX here."""

import argparse
import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gaussjax.io.errors import why
from gaussjax.io.output_files import check_replaceable, check_writable
from gaussjax.model.options import (
    ALL_FAMILIES,
    FAMILIES,
    GENERALISED,
    KERNELS,
    LARGEST_TRUNCATE,
    LOSSES,
    PIXELS,
)

_DEFAULT_TRUNCATE = 4.0  # as in estimate_blur; None on the command line tells "not given"
_OPENCV = {"opencv": 8, "opencv8": 6}  # taps per sigma: of floats, and of 8-bit images
_FIGURES = (".png", ".pdf", ".svg")
_KERNEL_HELP = """\
kernels (what "sigma" means to the tool that blurs; they differ below about 1 px):
  continuous  the Gaussian exp(-sigma^2 w^2 / 2) itself, for optics and physics
  sampled     its values at the pixel centres, cut off: SciPy, OpenCV, scikit-image, kornia
  integrated  its integral over each pixel, for detectors
  discrete    the discrete analogue exp(sigma^2 (cos w - 1)), for scale space
"""
FILE_HELP = """
Files are PNG, JPEG, BMP, GIF, WebP, AVIF, HEIC, PPM, TIFF (8 bit, 16 bit, float), FITS, NIfTI,
Zarr, .npy or .npz; the content decides, not the name. FILE[1] and FILE[NAME] select an extension
of a FITS file, an array of .npz or Zarr, a volume of a NIfTI series. Colour is reduced to
luminance; no axis of an array is read as colour. NaN in FITS, NIfTI and TIFF is no data, masked.
Use --linearize if the blur happened in light (a lens, a defocus, a renderer that works in linear
light) and the files are ordinary sRGB pictures: blur is linear in light, and stored sRGB values are
not. Leave it out if a program blurred the stored values, as SciPy, OpenCV and most image editors
do, or if the files hold linear data.
"""
AXES = "in the file's order: y, x of an image, z, y, x of a stack, x, y, z of NIfTI"
INTERRUPTED_HELP = "  130  interrupted, by Ctrl-C\n"  # the last of the exit codes
_CACHE_HELP = """
Compiled programs are kept in the user's cache folder, up to 256 MiB, so that later runs start
sooner. GAUSSJAX_CACHE in the environment names another folder; GAUSSJAX_CACHE=0 keeps none.
"""


def add_command(
    subparsers: Any, name: str, *, summary: str, description: str, notes: str = ""
) -> argparse.ArgumentParser:
    """Add a subcommand with the options of a kernel; its help ends with ``notes``."""
    texts = {"summary": summary, "description": description, "notes": _KERNEL_HELP + notes}
    parser = add_plain_command(subparsers, name, **texts)
    parser.add_argument(
        "--kernel", choices=KERNELS, default="continuous", help="default: %(default)s; see below"
    )
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument(
        "--truncate",
        type=positive,
        help="sampled kernel: its radius is int(TRUNCATE * sigma + 0.5) px; default: 4",
    )
    extent.add_argument(
        "--radius",
        type=radius,
        metavar="RADIUS",
        help="sampled kernel: a fixed radius, px; or opencv, that of cv2.GaussianBlur(image,"
        " (0, 0), sigma) for floats, opencv8 for 8-bit images",
    )
    return parser


def add_plain_command(
    subparsers: Any, name: str, *, summary: str, description: str, notes: str
) -> argparse.ArgumentParser:
    """Add a subcommand without a kernel; its help ends with ``notes``."""
    return subparsers.add_parser(
        name,
        help=summary,
        description=description,
        epilog=notes + _CACHE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_fit_options(parser: argparse.ArgumentParser, *, generalised: bool = False) -> None:
    """Options of every estimate, of one pair or of many; ``generalised``: with an exponent, too."""
    exponent = "; or one scale s and the exponent p of exp(-(s w)^p / 2), with a test of p = 2"
    parser.add_argument(
        "--family",
        choices=ALL_FAMILIES if generalised else FAMILIES,
        default="isotropic",
        help=f"one sigma (default), one per axis ({AXES}), or a covariance, of which the sigmas"
        f" along the principal axes are printed, largest first{exponent if generalised else ''}",
    )
    parser.add_argument(
        "--initial",
        type=finite,
        metavar="SIGMA",
        help="sigma to start from, px; less than 0 where BLURRED is the sharper image",
    )
    parser.add_argument("--gain", action="store_true", help="fit a factor between the images")
    parser.add_argument("--offset", action="store_true", help="fit a constant between the images")
    parser.add_argument("--shift", action="store_true", help="fit a displacement of the images")
    parser.add_argument(
        "--loss",
        choices=LOSSES,
        default="squared",
        help="of the residual; absolute and huber are robust to outliers; default: %(default)s",
    )
    add_general_options(parser)


def add_general_options(parser: argparse.ArgumentParser) -> None:
    """What is done to the files first, and how the result is printed."""
    parser.add_argument(
        "--linearize", action="store_true", help="decode sRGB to linear light first; see below"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_pair_options(parser: argparse.ArgumentParser, *, generalised: bool = False) -> None:
    """Two image files, and the options of their fit, as one pair or tile by tile."""
    parser.add_argument("reference", metavar="REFERENCE", help="file of the sharp image")
    parser.add_argument("blurred", metavar="BLURRED", help="file of the softer image")
    add_part_options(parser)
    add_fit_options(parser, generalised=generalised)
    parser.add_argument(
        "--bounds",
        nargs=2,
        type=finite,
        metavar=("LOW", "HIGH"),
        help="least and largest sigma, px",
    )
    add_noise(parser)
    add_mask_options(parser)


def add_part_options(parser: argparse.ArgumentParser) -> None:
    """What to take of both files."""
    parser.add_argument(
        "--channel",
        metavar="NAME",
        help="of colour or several bands, instead of luminance: its number from 0 on, or red,"
        " green, blue, Y, Cb, Cr (as in JPEG)",
    )
    parser.add_argument(
        "--page",
        type=count_or_zero,
        metavar="N",
        help="of a stack, from 0 on: along its first axis, of NIfTI the third, where a page is an"
        " axial slice; default: the stack is a volume",
    )


def add_mask_options(parser: argparse.ArgumentParser) -> None:
    """Files that say which pixels to use."""
    parser.add_argument(
        "--mask",
        metavar="FILE",
        help="image that marks the pixels of BLURRED to use: those not 0; of a FITS extension DQ or"
        " BPM, as in 'image.fits[DQ]', those that are 0",
    )
    parser.add_argument(
        "--mask-reference", metavar="FILE", help="the same for REFERENCE; others may be NaN"
    )


def add_noise(parser: argparse.ArgumentParser) -> None:
    """Two known noise levels, or the word "estimate"."""
    parser.add_argument(
        "--noise",
        nargs="+",
        type=noise,
        metavar="SD",
        help="standard deviations of the noise in REFERENCE and in BLURRED, as the values are"
        " stored (0 to 255 in 8 bit, 0 to 65535 in 16 bit, 0 to 1 with --linearize);"
        " or the word estimate; default: noise in BLURRED only",
    )
    parser.add_argument(
        "--noise-correlation",
        nargs=2,
        type=noise_shape,
        metavar="SHAPE",
        help="with --noise: how the noise of neighbours correlates in REFERENCE and in BLURRED,"
        " either as the sigma in px of the Gaussian that has smoothed it (0: white), or as a file"
        " with its autocorrelation, odd sides, 1 in the middle; default: white",
    )


def check_noise(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Make noise a pair, "estimate" or None; refuse all others."""
    if options.noise is not None and getattr(options, "loss", "squared") != "squared":
        parser.error("--noise goes with --loss squared")
    if options.noise_correlation and options.noise is None:
        parser.error("--noise-correlation is the shape of noise whose level --noise tells")
    if options.noise == ["estimate"]:
        options.noise = "estimate"
    elif options.noise is not None:
        if len(options.noise) != 2 or "estimate" in options.noise or not any(options.noise):
            parser.error("--noise: give two standard deviations, not both 0, or the word estimate")
        options.noise = tuple(options.noise)


def add_sampling_options(parser: argparse.ArgumentParser, *, inferred: bool = True) -> None:
    """How a BLURRED of larger pixels samples the scene; ``inferred``: shapes may tell the ratio."""
    told = "as the shapes tell, if they tell a whole number or half of one"
    parser.add_argument(
        "--sampling",
        nargs="+",
        type=positive,
        metavar="RATIO",
        help="pixels of REFERENCE per pixel of BLURRED along an axis, one number or one per axis:"
        f" 4, 1.5; default: {told if inferred else 'images of one shape'}",
    )
    parser.add_argument(
        "--pixel",
        choices=PIXELS,
        default="area",
        help="of BLURRED: the mean over its area (default), or a sample at its centre",
    )
    parser.add_argument(
        "--centre",
        nargs="+",
        type=centre,
        default=["area"],
        metavar="PLACE",
        help="of the first pixel of BLURRED, counted in pixels of REFERENCE from the centre of its"
        " first: area, where both images begin at the same edge (default), first (0), or a number,"
        " or one per axis",
    )


def check_sampling_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse words among numbers."""
    if len(options.centre) > 1 and any(isinstance(each, str) for each in options.centre):
        parser.error("--centre: give area, first, a number or one number per axis")


def sampling_keywords(options: argparse.Namespace) -> dict[str, Any]:
    """How the softer image samples the scene, as ``estimate_blur`` takes it."""
    ratios, places = options.sampling, options.centre
    return {
        "sampling": ratios[0] if ratios and len(ratios) == 1 else ratios,
        "pixel": options.pixel,
        "centre": places[0] if len(places) == 1 else places,
    }


def check_kernel(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse a radius for a kernel that has none, and one in vain."""
    if options.kernel != "sampled" and (options.truncate or options.radius):
        parser.error("--truncate and --radius belong to --kernel sampled")
    if options.truncate and options.truncate > LARGEST_TRUNCATE:
        parser.error(f"--truncate: is more than {LARGEST_TRUNCATE} sigma")


def check_pair_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options that contradict each other; noise becomes a pair, "estimate" or None."""
    check_kernel(parser, options)
    part = options.channel or options.page is not None
    if part and getattr(options, "precision", None):
        parser.error("--precision reads a part of the frame: it goes without --channel and --page")
    if options.bounds and options.bounds[0] >= options.bounds[1]:
        parser.error("--bounds: LOW must be less than HIGH")
    if options.family == GENERALISED and (options.bounds or options.kernel != "continuous"):
        parser.error("--family generalised goes without --bounds, and with --kernel continuous")
    check_noise(parser, options)


def kernel_keywords(options: argparse.Namespace) -> dict[str, Any]:
    """The kernel, as the functions of the library take it."""
    truncate = options.truncate or _DEFAULT_TRUNCATE
    radius = options.radius
    if radius in _OPENCV:
        radius = partial(_opencv_radius, _OPENCV[radius])
    return {"kernel": options.kernel, "truncate": truncate, "radius": radius}


def _opencv_radius(factor: int, sigma):
    """Half width of OpenCV's kernel, px, whose number of taps is made odd by ``| 1``."""
    import jax.numpy as jnp

    return jnp.round(factor * sigma + 1) // 2


def fixed_radius(options: argparse.Namespace) -> int:
    """The radius in px; 0 where there is none, or it follows sigma."""
    return 0 if options.radius in (None, *_OPENCV) else options.radius


def fit_keywords(options: argparse.Namespace) -> dict[str, Any]:
    """What every estimate takes, of one pair or of many."""
    return {
        "family": options.family,
        **kernel_keywords(options),
        "gain": options.gain,
        "offset": options.offset,
        "shift": options.shift,
        "loss": options.loss,
        "initial": options.initial,
    }


def finite(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    _require(math.isfinite(value), f"{text!r} is not a finite number")
    return value


def centre(text: str) -> float | str:
    """A finite number, or the words "area" and "first"."""
    return text if text in ("area", "first") else finite(text)


def positive(text: str) -> float:
    """A finite number above 0."""
    value = finite(text)
    _require(value > 0, f"{text!r} is not positive")
    return value


def count(text: str) -> int:
    """A whole number above 0."""
    _require(text.isdecimal() and int(text) > 0, f"{text!r} is not a whole number above 0")
    return int(text)


def radius(text: str) -> int | str:
    """A whole number above 0, or the name of a rule."""
    return text if text in _OPENCV else count(text)


def count_or_zero(text: str) -> int:
    """A whole number, 0 or more."""
    _require(text.isdecimal(), f"{text!r} is not a whole number, 0 or more")
    return int(text)


def noise_level(text: str) -> float:
    """A standard deviation, 0 or more."""
    value = finite(text)
    _require(value >= 0, f"{text!r} is less than 0")
    return value


def noise(text: str) -> float | str:
    """A standard deviation, 0 or more, or the word "estimate"."""
    if text == "estimate":
        return text
    try:
        return noise_level(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a noise level, 0 or more, nor the word estimate; name the two"
            " files before this option"
        ) from None


def noise_shape(text: str) -> float | str:
    """A sigma in px, 0 or more, or the name of a file."""
    try:
        value = float(text)
    except ValueError:
        return text
    _require(math.isfinite(value) and value >= 0, f"{text!r} is less than 0, or not finite")
    return value


def output_path(text: str) -> str:
    """The name of a file that can be written."""
    return _checked_path(text, check_writable)


def figure_path(text: str) -> str:
    """The name of a figure that can be written."""
    suffix = Path(text).suffix.lower()
    _require(suffix in _FIGURES, f"{text!r} does not end in {', '.join(_FIGURES)}")
    return output_path(text)


def state_path(text: str) -> str:
    """The name of a file that can be replaced again and again."""
    return _checked_path(text, check_replaceable)


def _checked_path(text: str, check: Callable[[Path], None]) -> str:
    path = Path(text)
    _require(os.path.isdir(path.parent), f"{text!r}: no such folder")
    _require(text != "" and not os.path.isdir(path), f"{text!r} is no name of a file")
    try:
        check(path)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: {why(error)}") from None
    return text


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise argparse.ArgumentTypeError(message)
