"""A sample of a large image: bands of rows, in which neighbours are still neighbours."""

import jax

# Pixels of a large image that are looked at, about, in bands of so many rows between two more ...
_SAMPLE = 2**15
_BAND = 4
# ... of which there are at least so many: a quarter of the rows still holds a few.
_LEAST_BANDS = 16


def sampled(image: jax.Array, parts: int = 1) -> jax.Array:
    """Bands of neighbouring rows of a large image, evenly spread: ``[bands, rows, ...]``.

    How neighbours hang together, some ten thousand pixels tell well enough for a verdict; all of
    them would take longer than the fit. A small image is one band. Of an image that is one of
    several ``parts`` of a frame so much fewer are taken.
    """
    rows = image.shape[0]
    wanted = max(_SAMPLE * rows // (_BAND * image.size), _LEAST_BANDS)
    num_bands = -(-wanted // parts)
    height = _BAND + 2
    if image.ndim == 1 or height * num_bands >= rows:
        return image[None]
    period = rows // num_bands
    bands = image[: period * num_bands].reshape(num_bands, period, *image.shape[1:])
    return bands[:, (period - height) // 2 :][:, :height]


def inner(bands: jax.Array, axis: int = 0, step: int = 0) -> jax.Array:
    """The pixels of bands that have all neighbours, or those a step along an axis further on."""
    steps = (step * (k == axis) for k in range(bands.ndim - 1))
    sizes = bands.shape[1:]
    return bands[:, *(slice(1 + s, n - 1 + s) for s, n in zip(steps, sizes, strict=True))]
