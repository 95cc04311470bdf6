"""The figure: what its panels show, in one, two and three dimensions, and its title."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from problems import cropped_scene, natural_scene, periodic_blur

import gaussjax as gj

NAMES = ("none", "isotropic", "axis_aligned", "full")
COMPARISON = gj.FamilyComparison(aic=jnp.array([900.0, 0.0, 1.5, 3.5]), names=NAMES)


def profile_of(sigma):
    """Made by hand: the figure draws what it is given."""
    w = np.linspace(0.05, 3, 32)
    transfer = np.exp(-0.5 * sigma * abs(sigma) * w**2)
    values = (w, transfer, 1.1 * transfer, 0.9 * np.ones(32), transfer, 0.01 * np.ones(32))
    return gj.TransferProfile(*map(jnp.asarray, values))


def draw(tmp_path, reference, blurred, sigma, **options):
    spectra = gj.pair_spectra(np.nan_to_num(reference), np.nan_to_num(blurred))
    estimate = gj.fit_gauss_newton(spectra)
    figure = gj.draw_report(reference, blurred, estimate, profile_of(sigma), COMPARISON, **options)
    figure.savefig(tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 20_000
    axes = {axes.get_title(): axes for axes in figure.axes}
    return figure, axes, estimate


def shown(axes):
    return np.ma.filled(axes.images[0].get_array().astype(float), np.nan)


def test_images(tmp_path, x64):
    scene = natural_scene((48, 56), seed=3)
    blurred = periodic_blur(scene, 2.25 * np.eye(2))
    figure, axes, estimate = draw(tmp_path, scene, blurred, 1.5)
    assert tuple(figure.get_size_inches()) == (10, 6)
    np.testing.assert_allclose(shown(axes["A, the reference"]), scene)
    np.testing.assert_allclose(shown(axes["B"]), blurred)
    # Gray levels can be compared.
    limits = {axes[title].images[0].get_clim() for title in ("A, the reference", "B")}
    assert len(limits) == 1
    predicted = np.asarray(gj.blur(scene, estimate.params, boundary="reflect"))
    np.testing.assert_allclose(shown(axes["Prediction g * A"]), predicted, atol=1e-12)
    residual = axes["Residual B \u2212 g * A"]
    margin = int(np.ceil(4 * estimate.sigma)) + 1
    inside = (slice(margin, -margin),) * 2
    known = np.isfinite(shown(residual))
    assert known[inside].all()
    assert known.sum() == known[inside].size
    np.testing.assert_allclose(shown(residual)[inside], (blurred - predicted)[inside], atol=1e-12)
    low, high = residual.images[0].get_clim()
    assert low == -high < 0
    assert any("unit of the images" in axes.get_ylabel() for axes in figure.axes)


def test_title_and_transfer_functions(x64):
    pair = cropped_scene(2.25 * np.eye(2), crop_shape=(48, 56))
    estimate = gj.estimate_blur(*pair)
    profile = profile_of(1.5)
    figure = gj.draw_report(*pair, estimate, profile, COMPARISON)
    title = figure.get_suptitle()
    assert title.splitlines()[0] == "A Gaussian blur explains the pair"
    assert float(re.search(r"= (\S+) \u00b1 ", title)[1]) == pytest.approx(1.5, rel=1e-5)
    assert "best family by AIC: isotropic (weight 0.6" in title
    assert f"MTF50 = {profile.mtf50:.4g} cycles/px" in title
    (panel,) = (axes for axes in figure.axes if "cycles/px" in axes.get_xlabel())
    lines = {line.get_label(): line for line in panel.lines}
    measured = next(line for label, line in lines.items() if label.startswith("H1"))
    np.testing.assert_allclose(measured.get_xdata(), profile.frequency / (2 * np.pi))
    np.testing.assert_allclose(measured.get_ydata(), profile.transfer)
    np.testing.assert_allclose(lines["coherence"].get_ydata(), profile.coherence)
    assert "fitted Gaussian, continuous kernel" in lines
    assert any(np.allclose(line.get_xydata(), [[profile.mtf50, 0.5]]) for line in panel.lines)
    np.testing.assert_allclose(panel.get_ylim()[1], 1.1)


def test_a_status_comes_first(tmp_path, x64):
    flat = np.ones((48, 56))
    estimate = gj.estimate_blur(flat, flat)
    nothing = gj.TransferProfile(*[jnp.full(4, jnp.nan)] * 6)
    none = gj.FamilyComparison(aic=jnp.full(4, jnp.nan), names=NAMES)
    figure = gj.draw_report(flat, flat, estimate, nothing, none)
    figure.savefig(tmp_path / "report.pdf")
    assert figure.get_suptitle().startswith("The pair does not determine the blur")
    assert "MTF50" not in figure.get_suptitle()
    assert "AIC" not in figure.get_suptitle()
    assert "nan" not in figure.get_suptitle()


def test_a_sharper_image_predicts_the_reference(tmp_path, x64):
    scene = natural_scene((48, 56), seed=3)
    blurred = periodic_blur(scene, 2.25 * np.eye(2))
    figure, axes, estimate = draw(tmp_path, blurred, scene, -1.5)
    assert estimate.sigma < -1
    np.testing.assert_allclose(shown(axes["B"]), scene)
    predicted = np.asarray(gj.blur(scene, estimate.params.inverse(), boundary="reflect"))
    np.testing.assert_allclose(shown(axes["Prediction g * B"]), predicted, atol=1e-12)
    assert "Residual A \u2212 g * B" in axes
    (panel,) = (axes for axes in figure.axes if "cycles/px" in axes.get_xlabel())
    assert panel.get_ylim()[1] > 5


def test_missing_pixels_are_not_shown_as_residual(tmp_path, x64):
    scene = natural_scene((48, 56), seed=3)
    blurred = periodic_blur(scene, 2.25 * np.eye(2))
    known = np.ones(scene.shape, bool)
    known[20:25, 30:40] = False
    blurred[~known] = np.nan
    _, axes, _ = draw(tmp_path, scene, blurred, 1.5, mask=known)
    residual = shown(axes["Residual B \u2212 g * A"])
    assert np.isnan(residual[~known]).all()
    assert np.isfinite(residual[18, 35])
    with pytest.raises(ValueError, match="NaN"):
        draw(tmp_path, scene, blurred, 1.5)


def test_signals_are_lines(tmp_path, x64):
    scene = natural_scene((200,), seed=3)
    blurred = periodic_blur(scene, np.array([[2.25]]))
    figure, axes, estimate = draw(tmp_path, scene, blurred, 1.5)
    lines = {line.get_label(): line for panel in figure.axes for line in panel.lines}
    np.testing.assert_allclose(lines["A, the reference"].get_ydata(), scene)
    np.testing.assert_allclose(lines["B"].get_ydata(), blurred)
    assert "prediction g * A" in lines
    residual = axes["Residual B \u2212 g * A, unit of the signals"].lines[0].get_ydata()
    assert np.isfinite(residual).sum() == 200 - 2 * (np.ceil(4 * estimate.sigma) + 1)


def test_the_middle_slice_of_a_volume(tmp_path, x64):
    scene = natural_scene((20, 24, 48), seed=3)
    blurred = periodic_blur(scene, np.eye(3))
    _, axes, _ = draw(tmp_path, scene, blurred, 1.0)
    np.testing.assert_allclose(shown(axes["A, the reference"]), scene[10])
    assert axes["A, the reference"].get_ylabel() == "slice 10 of 20"


def test_kernels_have_a_panel_of_their_own(tmp_path, x64):
    scene = natural_scene((48, 56), seed=3)
    blurred = periodic_blur(scene, 2.25 * np.eye(2))
    fits = [kernel_fit("disk", 0.0, True), kernel_fit("box", 40.0, False)]
    kernels = gj.KernelComparison(tuple(fits), fits[0], (5, 5), 1000, False, True)
    figure, *_ = draw(tmp_path, scene, blurred, 1.5, kernels=kernels)
    assert tuple(figure.get_size_inches()) == (10, 8.6)
    (panel,) = [each for each in figure.axes if "squares" in each.get_ylabel()]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["disk", "box"]
    assert panel.get_title(loc="left").startswith("A disk of 3 px explains the pair better")


def kernel_fit(name, excess, is_tied):
    values = (np.array([3.0]), np.array([0.1]), 1.5, 6.0, 1.0, excess, 2.0, 0.5, is_tied, 1)
    return gj.KernelFit(name, "", f"a {name} of 3 px", ("radius",), ("px",), *values)
