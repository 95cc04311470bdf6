"""Many pairs cut from photographs, and their joint fit."""

import jax
import numpy as np
import scipy.ndimage
from problems import PHOTOGRAPHS, photograph

from gaussjax.dataset.fit import fit_dataset

SIZE, SIGMA = 64, 1.5


def crops(count, sigma=SIGMA, noise=0.0, seed=0, size=SIZE, dtype=np.float32):
    """Named crops of photographs before and after SciPy's blur."""
    random = np.random.default_rng(seed)
    scenes = [photograph(name) for name in PHOTOGRAPHS]
    blurred = [scipy.ndimage.gaussian_filter(scene, sigma) for scene in scenes]
    pairs = []
    for number in range(count):
        k = random.integers(len(scenes))
        y, x = (random.integers(0, n - size) for n in scenes[k].shape)
        cut = np.s_[y : y + size, x : x + size]
        b = blurred[k][cut] + noise * random.standard_normal((size, size))
        pairs.append((f"pair {number}", scenes[k][cut].astype(dtype), b.astype(dtype)))
    return pairs


def fitted(pairs, **options):
    return fit_dataset(pairs, kernel="sampled", **options)


def fitted_share(share=slice(None), **options):
    """Of pairs of two shapes some are fitted: what every process has to agree on."""
    pairs = crops(37, noise=0.01) + crops(5, noise=0.01, size=48)
    numbers = list(range(len(pairs)))[share]
    found = fitted(pairs[share], covariates={"number": numbers}, **options)
    return {
        "devices": jax.local_device_count(),
        "sigma": found.sigma.item(),
        "error": found.sigma_standard_error.item(),
        "scatter": found.scatter.item(),
        "heterogeneity": found.heterogeneity.item(),
        "transfer": found.transfer.transfer.tolist(),
        "linear": found.transfer.shares.linear.item(),
        "pairs": found.num_pairs,
        "slope": (found.regression.coefficients / found.regression.standard_error).tolist(),
        "names": list(found.names),
    }
