"""Directions of departure: differences of the prediction against what they stand for."""

from itertools import combinations_with_replacement, product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaussjax.model.kernels import Kernel
from gaussjax.model.system_response import BlurModel
from gaussjax.pair.departure_fields import HALO, box_shape, derivative, directions, smears
from gaussjax.pair.evidence import causes
from gaussjax.statistics.cause import Cause

SIZE, MEAN = 48, 3.0
OPTIONS = [dict(zip(("gain", "offset", "shift"), o, strict=True)) for o in product(*3 * [(0, 1)])]


def model(ndim, family="isotropic", **nuisances):
    return BlurModel(family, Kernel(), 30, (20,) * ndim, **nuisances)


def difference(phase, w, order):
    """Of a sine, by central differences: what each order multiplies it by, written out."""
    half = 2 * np.sin(0.5 * w)
    return [
        np.sin(phase),
        np.sin(w) * np.cos(phase),
        -(half**2) * np.sin(phase),
        -(half**2) * np.sin(w) * np.cos(phase),
        half**4 * np.sin(phase),
    ][order]


@pytest.mark.parametrize("order", range(5))
@pytest.mark.parametrize("w", [0.05, 1.0, 2.5])
def test_differences_of_a_sine(w, order, x64):
    phase = w * np.arange(20) + 0.3
    found = derivative(jnp.asarray(np.sin(phase)), (order,))
    assert found.shape == (20 - 2 * HALO,)
    np.testing.assert_allclose(found, difference(phase[2:-2], w, order), atol=1e-13)
    # And of slow ones the derivatives, up to the square of the frequency.
    if w == 0.05:
        exact = w**order * np.sin(phase[2:-2] + order * np.pi / 2)
        np.testing.assert_allclose(found, exact, atol=0.5 * w**2 * w**order)


@pytest.mark.parametrize("orders", [(1, 1), (2, 2), (1, 2), (3, 0), (0, 4)])
def test_mixed_differences_of_a_product(orders, x64):
    rows, columns = 0.4 * np.arange(13) + 0.1, 0.9 * np.arange(17)
    image = np.sin(rows)[:, None] * np.sin(columns)[None]
    expected = np.outer(
        difference(rows[2:-2], 0.4, orders[0]), difference(columns[2:-2], 0.9, orders[1])
    )
    np.testing.assert_allclose(derivative(jnp.asarray(image), orders), expected, atol=1e-13)


@pytest.mark.parametrize("family", ["isotropic", "axis_aligned", "full"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "".join(k[0] for k in o if o[k]))
def test_every_field_has_a_cause_and_none_is_fitted(options, ndim, family):
    fitted = model(ndim, family, **options)
    shape = (6, 7, 8)[:ndim]
    like = jax.ShapeDtypeStruct
    image = like([n + 2 * HALO for n in shape], jnp.float32)
    place = [
        like([n if a == k else 1 for k, n in enumerate(shape)], jnp.float32) for a in range(ndim)
    ]
    names = []

    def traced(predicted, position):
        found, fields = directions(fitted, predicted, 0.0, position)
        names.extend(found)
        return fields

    fields = jax.eval_shape(traced, image, place)
    assert len(names) == len(fields)
    assert {field.shape for field in fields} == {shape}
    assert names == causes(fitted)
    counts = {cause: names.count(cause) for cause in Cause}
    assert counts[Cause.GAIN] == (not options["gain"])
    assert counts[Cause.OFFSET] == (not options["offset"])
    assert counts[Cause.SHIFT] == (0 if options["shift"] else ndim)
    pairs = ndim * (ndim - 1) // 2
    free = {"isotropic": ndim - 1 + pairs, "axis_aligned": pairs, "full": 0}[family]
    assert counts[Cause.ANISOTROPY] == free
    assert counts[Cause.ROTATION] == pairs
    assert counts[Cause.SCALE] == counts[Cause.TONE] == 1


def waves(seed=0):
    """Amplitudes, frequencies (rad/px) and phases of a smooth scene."""
    random = np.random.default_rng(seed)
    return random.normal(size=25), random.uniform(-0.3, 0.3, (25, 2)), random.uniform(0, 6, 25)


def scene(y, x, transfer=lambda wy, wx: 1.0, phase=lambda wy, wx: 0.0):
    """The scene at coordinates in px, blurred by a transfer function."""
    return sum(
        a * transfer(wy, wx) * np.sin(wy * y + wx * x + p + phase(wy, wx))
        for a, (wy, wx), p in zip(*waves(), strict=True)
    )


def spoiled(y, x):
    """The scene that departs a little in every way from one that a Gaussian has blurred."""
    angle, zoom, small = 0.002, 0.001, 0.01
    turned = np.cos(angle) * y - np.sin(angle) * x, np.sin(angle) * y + np.cos(angle) * x
    before, half = scene(y, x), 0.5 * SIZE
    blurrier = scene(y, x, lambda wy, wx: np.exp(-small * (wy**2 + wx**2)))
    return {
        Cause.GAIN: before + small * (MEAN + before),
        Cause.OFFSET: before + small,
        Cause.SHIFT: scene(y + small, x - 2 * small),
        Cause.ANISOTROPY: scene(y, x, lambda wy, wx: np.exp(-small * (wy**2 - wx**2 + wy * wx))),
        Cause.KERNEL: scene(y, x, lambda wy, wx: np.exp(small * (wy**4 + wx**4))),
        Cause.ASYMMETRY: scene(y, x, phase=lambda wy, wx: small * wy * (wy**2 + wx**2)),
        Cause.ROTATION: scene(*turned),
        Cause.SCALE: scene((1 + zoom) * y, (1 + zoom) * x),
        Cause.VARYING_BLUR: before + (y - 2 * x) / half * (blurrier - before),
        Cause.SHADING: before * (1 + small * (y + x) / half) + small * x / half,
        Cause.TONE: before + small * before**2,
    }


@pytest.mark.parametrize("cause", [c for c in Cause if 1 <= c <= 11], ids=lambda c: c.name)
def test_a_direction_is_what_its_cause_changes(cause, x64):
    index = np.arange(SIZE + 2 * HALO) - HALO - (SIZE - 1) / 2
    y, x = index[:, None], index[None]
    inner = slice(HALO, -HALO)
    place = [2 / SIZE * y[inner], 2 / SIZE * x[:, inner]]
    names, fields = directions(
        model(2), jnp.asarray(scene(y, x)), MEAN, [jnp.asarray(p) for p in place]
    )
    change = (spoiled(y, x)[cause] - scene(y, x))[inner, inner].ravel()
    own = np.stack([np.ravel(f) for f, name in zip(fields, names, strict=True) if name == cause])
    coefficients = np.linalg.lstsq(own.T, change, rcond=None)[0]
    left = change - coefficients @ own
    # Differences are derivatives up to a twelfth of the squared frequency, of some order.
    assert np.linalg.norm(left) < 0.05 * np.linalg.norm(change)
    others = [np.ravel(f) for f, name in zip(fields, names, strict=True) if name != cause]
    # No other single direction does as well.
    for other in others:
        rest = change - other * np.dot(other, change) / np.dot(other, other)
        assert np.linalg.norm(rest) > 2 * np.linalg.norm(left)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((64, 64), (64, 64)),
        ((200, 300), (88, 92)),
        ((20, 3000), (20, 408)),
        ((9000,), (8192,)),
        ((50, 50, 50), (20, 20, 20)),
        ((5, 400, 400), (5, 40, 40)),
    ],
    ids=str,
)
def test_a_box_is_as_large_and_as_even_as_it_may(shape, expected):
    box = box_shape(shape, 2**13)
    assert box == expected
    assert np.prod(box) <= 2**13


@pytest.mark.parametrize("family", ["isotropic", "axis_aligned", "full"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_displacement_smears_by_the_mean_of_its_square(ndim, family, x64):
    steps, extents, size = (2.0, 3.0, 1.0)[:ndim], (1.0, 1.5, 2.0)[:ndim], 24
    fitted = model(ndim, family, gain=True)
    grid = np.meshgrid(*[np.arange(size) + 0.5] * ndim, indexing="ij", sparse=True)
    position = [e * (2 * x / size - 1) for e, x in zip(extents, grid, strict=True)]
    wide = np.meshgrid(*[np.arange(-HALO, size + HALO)] * ndim, indexing="ij")
    kinds, squares = causes(fitted), []
    for step, ramp in zip(steps, wide, strict=True):
        # Of a ramp a field of displacement leaves its own part along that axis.
        _, moved = directions(fitted, ramp.astype(float), 0.0, position)
        squares.append([np.mean((step * np.asarray(field)) ** 2) for field in moved])
    moves = np.asarray([kind in (Cause.SHIFT, Cause.ROTATION, Cause.SCALE) for kind in kinds])
    along = np.where(moves, squares, 0)
    expected = {
        "isotropic": np.mean(along, axis=0, keepdims=True),
        "axis_aligned": along,
        "full": np.stack(
            [along[a] * (a == b) for a, b in combinations_with_replacement(range(ndim), 2)]
        ),
    }[family]
    found = smears(fitted, kinds, steps, extents)
    np.testing.assert_allclose(found[:-1], expected, rtol=2 / size**2)
    assert not found[-1].any()  # the gain
