"""A small convolutional autoencoder in plain JAX, whose reconstructions are blurred by no kernel.

Its code is half as wide and as high as the image, with fewer numbers than there are pixels, so
that detail is lost where the network judges it worth least. Trained on patches with optax.
"""

from collections.abc import Collection, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

CHANNELS, CODE = 32, 2  # of the hidden layers, and of the code: half a number a pixel
PATCH = 32  # px
BATCH = 32
LARGEST_RATE = 5e-3

Parameters = dict[str, tuple[jax.Array, jax.Array]]
# Channels in and out, px across and stride of every convolution. The one that halves the image is
# even, so that its centre is that of the 2 x 2 px which it stands for: nothing is displaced.
_LAYERS = {
    "first": (1, CHANNELS, 3, 1),
    "encode": (CHANNELS, CODE, 4, 2),
    "decode": (CODE, CHANNELS, 3, 1),
    "last": (CHANNELS, 1, 3, 1),
}


def initialise(key: jax.Array) -> Parameters:
    """He's random weights, and biases of zero, in float32."""
    parameters = {}
    for name, (inputs, outputs, size, _) in _LAYERS.items():
        key, own = jax.random.split(key)
        weights = jax.random.normal(own, (size, size, inputs, outputs), jnp.float32)
        weights = weights * jnp.float32((2 / (size**2 * inputs)) ** 0.5)
        parameters[name] = (weights, jnp.zeros(outputs, jnp.float32))
    return parameters


def reconstruct(parameters: Parameters, images: jax.Array) -> jax.Array:
    """What the network makes of grey images ``[n, height, width]`` of even size."""
    x = images.astype(jnp.float32)[..., None] - 0.5
    x = jax.nn.relu(_convolve(parameters, "first", x))
    x = _convolve(parameters, "encode", x)
    x = jax.nn.relu(_convolve(parameters, "decode", _double(x)))
    return _convolve(parameters, "last", x)[..., 0] + 0.5


def train(images: Sequence[np.ndarray], *, seed: int, steps: int) -> Parameters:
    """The last of :func:`snapshots`."""
    ((_, parameters),) = snapshots(images, seed=seed, steps=steps, at=(steps,))
    return parameters


def snapshots(
    images: Sequence[np.ndarray], *, seed: int, steps: int, at: Collection[int]
) -> Iterator[tuple[int, Parameters]]:
    """The network after each of the steps ``at``, 0 for the untrained one.

    Least squares on random patches of the images, by Adam with a rate that falls to zero.
    """
    random = np.random.default_rng(seed)
    schedule = optax.cosine_decay_schedule(LARGEST_RATE, steps)
    optimizer = optax.adam(schedule)
    parameters = initialise(jax.random.key(seed))
    state = optimizer.init(parameters)

    def loss(parameters, patches):
        return jnp.mean((reconstruct(parameters, patches) - patches) ** 2)

    @jax.jit
    def step(parameters, state, patches):
        updates, state = optimizer.update(jax.grad(loss)(parameters, patches), state)
        return optax.apply_updates(parameters, updates), state

    for count in range(steps + 1):
        if count in at:
            yield count, parameters
        if count < steps:
            parameters, state = step(parameters, state, _patches(images, random))


def count(parameters: Parameters) -> int:
    """How many numbers were trained."""
    return sum(leaf.size for leaf in jax.tree.leaves(parameters))


def peak_signal_to_noise(image: np.ndarray, other: np.ndarray) -> float:
    """PSNR in dB of images in [0, 1]."""
    return float(-10 * np.log10(np.mean((image - other) ** 2)))


def _convolve(parameters: Parameters, name: str, x: jax.Array) -> jax.Array:
    weights, bias = parameters[name]
    stride = _LAYERS[name][-1]
    numbers = ("NHWC", "HWIO", "NHWC")
    padding = [(1, 1), (1, 1)]
    return bias[None, None, None] + jax.lax.conv_general_dilated(
        x, weights, (stride, stride), padding, dimension_numbers=numbers
    )


def _double(x: jax.Array) -> jax.Array:
    """Every pixel as 2 x 2."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def _patches(images: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    chosen = (images[index] for index in random.integers(len(images), size=BATCH))
    corners = random.random((BATCH, 2))
    return np.stack(
        [
            _cut(image, (corner * (np.array(image.shape) - PATCH)).astype(int))
            for image, corner in zip(chosen, corners, strict=True)
        ]
    ).astype(np.float32)


def _cut(image: np.ndarray, corner: np.ndarray) -> np.ndarray:
    row, column = corner
    return image[row : row + PATCH, column : column + PATCH]
