"""The panel of the transfer function shows what was found."""

import numpy as np

from gaussjax.dataset.pooled_transfer import NUM_BINS, RingSums, TransferSums, pooled_transfer
from gaussjax.report.style import new_figure
from gaussjax.report.transfer_panel import draw_transfer


def test_curves_are_those_of_the_transfer_function(rng):
    shape = 10, NUM_BINS + 1
    power = rng.uniform(1, 2, shape)
    cross, error = 0.01 * rng.normal(size=shape), rng.uniform(0.1, 0.2, shape)
    sums = RingSums(
        flat=np.ones(shape),
        frequency=power * np.linspace(0.1, 3, NUM_BINS + 1),
        power=power,
        fitted=0.5 * power,
        output=0.25 * power + cross + error,
        cross=cross,
        residual=error,
        noise_cross=0.1 * power,
        changes=np.zeros((10, 1, NUM_BINS + 1)),
    )
    transfer = pooled_transfer(TransferSums.of_pairs(sums, range(10)))
    axes = new_figure(6, 4).subplots()
    draw_transfer(axes, transfer)
    lines = {line.get_label(): line for line in axes.lines}
    common = lines["common to all pairs, H"]
    np.testing.assert_allclose(common.get_xdata(), transfer.frequency / (2 * np.pi))
    np.testing.assert_allclose(common.get_ydata(), transfer.transfer)
    np.testing.assert_allclose(lines["fitted Gaussian"].get_ydata(), 0.5)
    bands = [band.get_paths()[0].vertices[:, 1] for band in axes.collections]
    for band, errors in zip(bands, (transfer.pair_error, transfer.noise_error), strict=True):
        np.testing.assert_allclose(band.max(), np.max(transfer.transfer + 2 * errors))
    title = axes.get_legend().get_title().get_text()
    assert str(transfer.shares) in title.replace("\n", " ")
