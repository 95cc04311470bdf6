"""Pairs with exact answers, tagged by what makes them hard; NumPy and SciPy only, float64."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import scipy.ndimage
import skimage.color
import skimage.data

# Inside the scikit-image wheel: other names of skimage.data would be downloaded.
PHOTOGRAPHS = ("camera", "astronaut", "coffee", "grass", "moon", "chelsea")


def natural_scene(image_shape, seed=0, slope=1.0):
    """Periodic random scene with amplitude |w|^-slope, mean 0, standard deviation 1."""
    noise = np.fft.fftn(np.random.default_rng(seed).normal(size=image_shape))
    grids = np.meshgrid(*(np.fft.fftfreq(n) for n in image_shape), indexing="ij")
    radius = np.sqrt(sum(grid**2 for grid in grids))
    radius.flat[0] = np.inf
    scene = np.fft.ifftn(noise * radius**-slope).real
    return scene / scene.std()


def periodic_blur(scene, covariance):
    """Continuous Gaussian blur by the full complex FFT; ``covariance`` in px^2, [ndim, ndim]."""
    w = np.stack(np.meshgrid(*(2 * np.pi * np.fft.fftfreq(n) for n in scene.shape), indexing="ij"))
    form = np.einsum("i...,ij,j...->...", w, covariance, w)
    # A rotated Gaussian on an even size is ambiguous at the Nyquist frequency: use odd sizes.
    return np.fft.ifftn(np.fft.fftn(scene) * np.exp(-0.5 * form)).real


def smooth_part(image):
    """Moisan's smooth part, whose discrete Laplacian inside is zero, by the full complex FFT."""
    boundary, laplacian = np.zeros(image.shape), np.zeros(image.shape)
    for axis, size in enumerate(image.shape):
        first, last = (np.take(image, [k], axis) for k in (0, -1))
        ends = [slice(None)] * image.ndim
        for end, jump in ((slice(0, 1), last - first), (slice(-1, None), first - last)):
            ends[axis] = end
            boundary[tuple(ends)] += jump
        waves = 2 * np.cos(2 * np.pi * np.fft.fftfreq(size)) - 2
        laplacian = laplacian + waves.reshape([-1 if k == axis else 1 for k in range(image.ndim)])
    laplacian.flat[0] = 1
    spectrum = np.fft.fftn(boundary) / laplacian
    spectrum.flat[0] = 0
    return np.fft.ifftn(spectrum).real


def interior_blur(image, covariance):
    """:func:`periodic_blur` of the periodic part alone: what an isotropic blur is inside a crop."""
    smooth = smooth_part(image)
    return periodic_blur(image - smooth, covariance) + smooth


def ramp_with_a_spot(random, sigma=None, size=64):
    """A scene about as smooth as a taper of its frame, its blur and sigma (px), drawn if not given.

    It jumps at the frame's edge by more than it varies inside.
    """
    y, x = np.mgrid[-1:1:160j, -1:1:160j]
    (row, column), angle = random.uniform(-1, 1, 2), random.uniform(0, 2 * np.pi)
    spot = np.exp(-((x - column) ** 2 + (y - row) ** 2) / 0.3)
    scene = spot + random.uniform(0, 2) * (x * np.cos(angle) + y * np.sin(angle))
    sigma = random.uniform(1, 3.5) if sigma is None else sigma
    cut = np.s_[48 : 48 + size, 48 : 48 + size]
    return scene[cut], scipy.ndimage.gaussian_filter(scene, sigma)[cut], sigma


def twisted_plane(image):
    """What a 2-D image jumps by at opposite edges: the mean, and the slope along them."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in image.shape)
    twist_y, slope_y = np.polyfit(x, (image[-1] - image[0]) / (len(y) - 1), 1)
    twist_x, slope_x = np.polyfit(y, (image[:, -1] - image[:, 0]) / (len(x) - 1), 1)
    twist = 0.5 * (twist_y + twist_x)
    return slope_y * y[:, None] + slope_x * x[None] + twist * np.outer(y, x)


def levelled_blur(image, covariance):
    """:func:`periodic_blur` without a plane that no blur along the axes changes."""
    plane = twisted_plane(image)
    return periodic_blur(image - plane, covariance) + plane


@dataclass(frozen=True)
class Problem:
    """Images A and B, and the sigma (px) that estimate_blur has to find with these options."""

    name: str
    tags: tuple[str, ...]
    reference: np.ndarray
    blurred: np.ndarray
    sigma: float
    options: dict = field(default_factory=dict)

    def __repr__(self):
        return self.name


def _periodic(name, image_shape, sigma, *tags, slope=1.0, scale=1.0, offset=0.0):
    scene = offset + scale * natural_scene(image_shape, seed=len(name), slope=slope)
    blurred = offset + periodic_blur(scene - offset, sigma**2 * np.eye(len(image_shape)))
    return Problem(name, tags, scene, blurred, sigma, {"boundary": "periodic"})


@cache
def periodic_problems():
    """Periodic pairs blurred by the continuous Gaussian."""
    return (
        _periodic("typical", (48, 64), 1.5),
        _periodic("tiny_blur", (48, 64), 0.05, "tiny blur"),
        _periodic("wide_blur", (48, 64), 9.0, "wide blur"),
        _periodic("odd_sizes", (47, 63), 1.5, "odd", "non-square"),
        _periodic("signal", (301,), 2.0, "1-D"),
        _periodic("volume", (16, 15, 18), 1.2, "3-D", slope=1.5),
        _periodic("white_scene", (48, 64), 1.5, slope=0.0),
        _periodic("low_contrast", (48, 64), 1.5, "low contrast", scale=1e-3, offset=1.0),
        _periodic("flux_units", (48, 64), 1.5, "units", scale=1e-17, offset=3e-17),
        _periodic("counts", (48, 64), 1.5, "units", scale=4000.0, offset=30000.0),
    )


def seed_blur(image, sigma, radius):
    """Sampled Gaussian of the given radius with replicated edges, one axis after the other."""
    n = np.arange(-radius, radius + 1)
    taps = np.exp(-(n**2) / (2 * sigma**2))
    for axis in range(image.ndim):
        image = scipy.ndimage.correlate1d(image, taps / taps.sum(), axis, mode="nearest")
    return image


@cache
def photograph(name):
    """A grey photograph, 0 to 1, at most 700 px a side."""
    image = getattr(skimage.data, name)()[:700, :700]
    return skimage.color.rgb2gray(image) if image.ndim == 3 else image / 255.0


def cropped_photograph(name, sigma, size=256, **options):
    """Centre of a photograph before and after SciPy's blur of all of it, so content leaks in."""
    scene = photograph(name)
    blurred = scipy.ndimage.gaussian_filter(scene, sigma, **options)
    start = [(n - size) // 2 for n in scene.shape]
    inside = tuple(slice(s, s + size) for s in start)
    return scene[inside], blurred[inside]


def cropped_scene(covariance, crop_shape=(64, 72), seed=1, pad=24):
    """A random scene before and after the continuous Gaussian, cut out so that content leaks in."""
    scene = natural_scene([n + 2 * pad + 1 for n in crop_shape], seed)
    inside = tuple(slice(pad, pad + n) for n in crop_shape)
    return scene[inside], periodic_blur(scene, covariance)[inside]
