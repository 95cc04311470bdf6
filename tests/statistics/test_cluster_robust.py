import numpy as np
import pytest
import scipy.linalg

from gaussjax.statistics.cluster_robust import cluster_robust, influence


def positive(rng, *shape):
    factor = rng.normal(size=(*shape[:-1], 2 * shape[-1]))
    return factor @ np.swapaxes(factor, -1, -2)


def joint(roots, slopes):
    """The root of the sum of linear scores ``S_i (t - t_i)``, and the scores there."""
    pulls = np.einsum("nij,nj->i", slopes, roots)
    root = np.linalg.solve(slopes.sum(0), pulls)
    return root, np.einsum("nij,nj->ni", slopes, root - roots)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_of_pairs_alike_it_is_students_interval(n, rng):
    roots, slopes = rng.normal(size=(n, 1)), np.full((n, 1, 1), 5.0)
    _, scores = joint(roots, slopes)
    for variance in (0.2, 7.0):
        found = cluster_robust(scores, slopes, np.full((n, 1, 1), variance))
        np.testing.assert_allclose(found.freedom, n - 1, rtol=1e-12)
        np.testing.assert_allclose(found.covariance, [[roots.var(ddof=1) / n]], rtol=1e-12)


def dense(slopes, variances):
    """Weights and degrees of freedom from the covariance of all residuals of all pairs."""
    n, p, _ = slopes.shape
    total = scipy.linalg.sqrtm(slopes.sum(0)).real
    whitening = np.linalg.inv(total)
    leverage, spread = whitening @ slopes @ whitening, total @ variances @ total
    residual = np.eye(n * p) - np.tile(np.concatenate(list(leverage), axis=1), (n, 1))
    covariance = residual @ scipy.linalg.block_diag(*spread) @ residual.T
    weights = []
    for i, (h, v) in enumerate(zip(leverage, spread, strict=True)):
        own = slice(i * p, (i + 1) * p)
        inner, root = h @ covariance[own, own] @ h, scipy.linalg.sqrtm(h @ v @ h).real
        stretch = root @ np.linalg.inv(scipy.linalg.sqrtm(root @ inner @ root).real) @ root
        weights.append(h @ stretch @ whitening)
    freedom, expected = [], []
    for k in range(p):
        of_pairs = scipy.linalg.block_diag(*[a[None, :, k] for a in weights])
        each = of_pairs @ covariance @ of_pairs.T
        expected.append(np.trace(each))
        freedom.append(np.trace(each) ** 2 / np.sum(each**2))
    return freedom, expected


@pytest.mark.parametrize("p", [1, 3])
def test_the_degrees_of_freedom_are_those_of_the_full_covariance(p, rng):
    slopes, variances = positive(rng, 5, p, p), positive(rng, 5, p, p)
    _, scores = joint(rng.normal(size=(5, p)), slopes)
    found = cluster_robust(scores, slopes, variances)
    freedom, expected = dense(slopes, variances)
    np.testing.assert_allclose(found.freedom, freedom, rtol=1e-9)
    assert np.all(found.freedom < 4)
    # Unbiased under the working covariance.
    pulls = np.linalg.inv(slopes.sum(0)) @ slopes
    truth = np.sum(pulls @ variances @ np.swapaxes(pulls, 1, 2), axis=0)
    np.testing.assert_allclose(expected, np.diag(truth), rtol=1e-9)


def test_it_is_bell_and_mccaffreys_where_the_slopes_are_the_information(rng):
    slopes = positive(rng, 4, 3, 3)
    _, scores = joint(rng.normal(size=(4, 3)), slopes)
    whitening = np.linalg.inv(scipy.linalg.sqrtm(slopes.sum(0)).real)
    expected = 0
    for slope, score in zip(slopes, scores, strict=True):
        rest = np.eye(3) - whitening @ slope @ whitening
        stretched = np.linalg.inv(scipy.linalg.sqrtm(rest).real) @ whitening @ score
        expected = expected + np.outer(stretched, stretched)
    expected = whitening @ expected @ whitening
    found = cluster_robust(scores, slopes, np.linalg.inv(slopes)).covariance
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.max(expected))


@pytest.mark.parametrize("p", [1, 3])
def test_it_is_unbiased_under_the_working_covariance(p, rng, draws):
    slopes, variances = positive(rng, 4, p, p), positive(rng, 4, p, p)
    factors = np.linalg.cholesky(variances)
    roots, found = [], []
    for _ in range(5 * draws):
        root, scores = joint((factors @ rng.normal(size=(4, p, 1)))[..., 0], slopes)
        roots.append(root)
        found.append(np.diag(cluster_robust(scores, slopes, variances).covariance))
    difference = np.asarray(found) - np.asarray(roots) ** 2
    deviate = difference.mean(0) / (difference.std(0) / np.sqrt(len(difference)))
    assert np.all(np.abs(deviate) < 4)


@pytest.mark.parametrize("p", [1, 3])
def test_influence_is_the_move_of_the_root_without_the_pair(p, rng):
    roots, slopes = rng.normal(size=(6, p)), positive(rng, 6, p, p)
    root, scores = joint(roots, slopes)
    found = influence(scores, slopes)
    for k in range(6):
        others = np.arange(6) != k
        without, _ = joint(roots[others], slopes[others])
        np.testing.assert_allclose(found[k], without - root, rtol=1e-9, atol=1e-12)


def test_one_pair_tells_nothing_and_flat_ones_count_for_nothing(rng):
    slopes = positive(rng, 4, 2, 2)
    _, scores = joint(rng.normal(size=(4, 2)), slopes)
    alone = cluster_robust(0 * scores[:1], slopes[:1], slopes[:1])
    assert np.isnan(alone.covariance).all()
    assert np.isnan(alone.freedom).all()
    assert np.isnan(influence(0 * scores[:1], slopes[:1])).all()
    nothing = cluster_robust(scores, 0 * slopes, slopes)
    assert np.isnan(nothing.covariance).all()
    flat = [np.concatenate([x, 0 * x[:1]]) for x in (scores, slopes)]
    with_flat = cluster_robust(*flat, np.concatenate([slopes, slopes[:1]]))
    few = cluster_robust(scores, slopes, slopes)
    np.testing.assert_allclose(with_flat.covariance, few.covariance, rtol=1e-9)
    np.testing.assert_allclose(with_flat.freedom, few.freedom, rtol=1e-9)


def test_a_pair_that_outweighs_the_others_leaves_one_degree_of_freedom(rng):
    slopes = np.asarray([1.0, 1e-7, 1e-7])[:, None, None]
    _, scores = joint(rng.normal(size=(3, 1)), slopes)
    found = cluster_robust(scores, slopes, np.asarray([1.0, 1e7, 1e7])[:, None, None])
    assert np.isfinite(found.covariance).all()
    assert 1 <= found.freedom <= 2


def test_the_sums_are_over_the_processes(rng):
    slopes, variances = positive(rng, 6, 2, 2), positive(rng, 6, 2, 2)
    _, scores = joint(rng.normal(size=(6, 2)), slopes)
    whole = cluster_robust(scores, slopes, variances)
    # This process has the first four; the others' share of each sum is what it got without.
    sums = []
    cluster_robust(scores, slopes, variances, lambda x: sums.append(x) or x)
    received = iter(sums)
    half = cluster_robust(scores[:4], slopes[:4], variances[:4], lambda _: next(received))
    np.testing.assert_allclose(half.freedom, whole.freedom)
    np.testing.assert_allclose(half.covariance, whole.covariance)


def test_shapes_and_numbers_that_cannot_be_are_named(rng):
    slopes = positive(rng, 4, 2, 2)
    with pytest.raises(ValueError, match=r"variances must have shape \(4, 2, 2\)"):
        cluster_robust(np.zeros((4, 2)), slopes, slopes[:, 0])
    with pytest.raises(ValueError, match="scores must be finite"):
        cluster_robust(np.full((4, 2), np.nan), slopes, slopes)
