"""Reduction and enlargement: against Pillow and OpenCV, and a part of a frame against the whole."""

import cv2
import numpy as np
import pytest
from PIL import Image

from gaussjax.model.resampling import Resampler, reduce_and_enlarge


def matrix(resampler, size, factor, phase=0.0):
    smaller, larger = reduce_and_enlarge(resampler, size, factor, phase)
    return larger @ smaller


@pytest.mark.parametrize(
    ("resampler", "method"),
    [
        (Resampler("bicubic", -0.5, True), Image.Resampling.BICUBIC),
        (Resampler("Lanczos", 3, True), Image.Resampling.LANCZOS),
    ],
)
@pytest.mark.parametrize("small", [32, 21])
def test_pillow(resampler, method, small, rng):
    image = rng.random((64, 64)).astype(np.float32)
    reduced = Image.fromarray(image).resize((small, small), method)
    expected = np.asarray(reduced.resize((64, 64), method))
    one = matrix(resampler, 64, 64 / small)
    np.testing.assert_allclose(one @ image @ one.T, expected, atol=3e-6)


@pytest.mark.parametrize("small", [32, 21])
def test_opencv(small, rng):
    image = rng.random((64, 64)).astype(np.float32)
    reduced = cv2.resize(image, (small, small), interpolation=cv2.INTER_CUBIC)
    expected = cv2.resize(reduced, (64, 64), interpolation=cv2.INTER_CUBIC)
    one = matrix(Resampler("bicubic", -0.75, False), 64, 64 / small)
    np.testing.assert_allclose(one @ image @ one.T, expected, atol=3e-5)


@pytest.mark.parametrize("factor", [2.0, 3.0, 64 / 24])
def test_a_part_of_a_frame(factor, rng):
    signal = rng.random(192)
    resampler = Resampler("bicubic", -0.5, True)
    start = 13
    whole = matrix(resampler, 192, factor) @ signal
    part = matrix(resampler, 100, factor, -start % factor) @ signal[start : start + 100]
    reach = int(resampler.reach(factor)) + 1
    np.testing.assert_allclose(part[reach:-reach], whole[start + reach : start + 100 - reach])
