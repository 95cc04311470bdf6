"""Every number in the README and in the pages of the study stands in a JSON in figures/."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from experiments import (
    border,
    chroma,
    convergence,
    cramer_rao,
    exponent,
    fleet,
    frequency_ratio,
    many_pairs,
    resized,
    training,
    which_kernel,
)
from experiments.__main__ import EXPERIMENTS
from experiments.coarse_grid import table as coarse_grid
from experiments.compare_estimators.table import errors_over_bound, failures, relative_errors, rms
from experiments.noisy_reference.table import noise_name, summarise
from experiments.seed_protocol.table import judge
from experiments.shared.drawing import said
from experiments.silent_errors import table as silent_errors
from experiments.silent_errors.judge import Said
from experiments.speed import bars as speed_bars
from experiments.speed import table as speed_table
from experiments.speed.timed_fits import FITS, alone
from gaussjax import Cause, Status, Verdict
from gaussjax.statistics.verdict import TRUSTED

ROOT = Path(__file__).parents[1]


def numbers(stem):
    return json.loads((ROOT / "figures" / f"{stem}.json").read_text(encoding="utf-8"))["numbers"]


def page(name):
    """The text of a page below docs/, or of the README."""
    path = "README.md" if name == "README" else f"docs/{name}.md"
    return (ROOT / path).read_text(encoding="utf-8")


def rows(name, head=""):
    """The rows of the table of a page whose head begins so, as cells without emphasis."""
    lines = page(name).split(f"\n| {head}", 1)[1].split("\n\n")[0].splitlines()
    return [[cell.strip(" *`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def assert_said(name, *phrases):
    """Each phrase stands in the page, wherever its lines break."""
    text = " ".join(page(name).split())
    missing = [phrase for phrase in phrases if phrase not in text]
    assert not missing


def assert_shown(shown, value):
    """The text is the value to two digits, or a bound of it: rounding differs by the machine."""
    if shown.startswith("< "):
        assert 0 <= value < float(shown[2:])
        return
    assert float(shown) == pytest.approx(float(f"{value:.1e}"), rel=1e-9, abs=0)


def test_the_readme_is_short():
    assert len(page("README").split()) <= 700


def test_links_of_the_readme_lead_somewhere():
    targets = re.findall(r"\]\(([^)#]+)", page("README"))
    assert len(targets) > 10
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_the_first_example_prints_what_is_shown():
    found = numbers("first_look")
    assert f"```text\n{found['printed']}\n```" in page("README")
    assert found["status"] == 0
    low, high = found["interval"]
    assert low < found["true_sigma"] < high


def test_what_people_do_today():
    found, times = numbers("compare_estimators"), numbers("speed")
    noise = np.array(found["known"]["noise"])
    index = times["sizes"].index(1024)
    named = {
        "estimate_blur": ("interior: estimate_blur", "estimate_blur"),
        "search over": ("interior: SciPy", "SciPy blur, bounded search"),
        "the same": ("reflect: SciPy", None),
        "log ratio of spectra, Hann": ("Hann window: ratio, weighted", None),
        "gradient descent": ("periodic: Adam, log sigma", None),
        "log ratio of spectra, every": ("periodic: ratio, pointwise", None),
    }
    table = rows("README", "way")
    assert len(table) == len(named)
    for (way, worst, over_bound, time), (start, (name, timed)) in zip(
        table, named.items(), strict=True
    ):
        assert way.startswith(start)
        assert_shown(worst, np.max(np.abs(100 * relative_errors(found, name))[noise == 0]))
        assert_shown(over_bound, rms(errors_over_bound(found, name)[noise == 0.01]))
        if timed:
            assert_shown(time, np.median(speed_bars.ratios(times, timed)[:, index]))
        else:
            assert not time
    errors = [worst for _, worst, _, _ in table]
    assert_said(
        "paper/paper",
        f"is {errors[2]} % for the search with mirrored edges, {errors[3]} % for the weighted ratio"
        f" under a Hann window, and {errors[0]} % for `gaussjax`",
    )


def test_which_estimator():
    found = numbers("compare_estimators")
    noise = np.array(found["known"]["noise"])
    table = rows("study/compare_estimators")
    assert len(table) >= 6
    for name, worst, one_percent, five_percent, failed in table:
        errors = np.abs(100 * relative_errors(found, name))
        over_bound = errors_over_bound(found, name)
        assert_shown(worst, np.max(errors[noise == 0]))
        assert_shown(one_percent, rms(over_bound[noise == 0.01]))
        assert_shown(five_percent, rms(over_bound[noise == 0.05]))
        assert int(failed) == failures(found, name)
    assert_said(
        "study/compare_estimators",
        f": {len(noise)} pairs",
        "within 0.5 % of the same wrong minimum",
    )
    newton = found["answers"]["periodic: Gauss-Newton"]["known_sigma"]
    for name in ("L-BFGS", "Adam, log sigma"):
        sigma = found["answers"][f"periodic: {name}"]["known_sigma"]
        np.testing.assert_allclose(sigma, newton, rtol=5e-3)
    assert_said("study/compare_estimators", "Gauss-Newton needs a fifth of the time or less")
    times = {
        name: found["answers"][f"periodic: {name}"]["milliseconds_per_pair"]
        for name in ("Gauss-Newton", "L-BFGS", "Adam, log sigma", "Adam, variance")
    }
    assert 5 * times.pop("Gauss-Newton") <= min(times.values())


def test_protocol_of_the_first_answer():
    found = numbers("seed_protocol")
    table = rows("study/seed_protocol")
    assert len(table) >= 4
    for name, error in table:
        assert_shown(error, judge(found, name)["rmse_wide"])


def test_noise_in_both_images():
    found = numbers("noisy_reference")
    shown = {name: summarise(found, name)["rms"] for name in found["answers"]}
    levels = [noise_name(noise) for noise in found["noises"]]
    table = rows("study/noisy_reference")
    assert len(table) == 8
    for where, *errors in table:
        noise, sigma = where.removesuffix(" px").split(", ")
        cell = levels.index(noise), found["sigmas"].index(float(sigma))
        for name, error in zip(list(shown)[:3], errors, strict=True):
            assert_shown(error, shown[name][cell])
    assert found["draws"] == 8
    assert len(found["photographs"]) == 8


def test_every_code_and_option_is_told():
    text = page("reading")
    for code in (*Status, *Verdict, *Cause):
        assert f"| {int(code)} | `{code.name}` |" in text
    text = page("choose")
    for option in ("noise_std", "gain", "offset", "shift", "loss", "mask", "weights", "family"):
        assert f"{option}=" in text


@pytest.mark.parametrize("stem", EXPERIMENTS)
def test_every_experiment_is_in_the_gallery(stem):
    if stem == "first_look":
        assert "](figures/first_look.png)" in page("README")
    else:
        assert f"](../../figures/{stem}.png)" in page(f"study/{stem}")
        assert f"\n{stem}\n" in page("study/index")
    record = json.loads((ROOT / "figures" / f"{stem}.json").read_text(encoding="utf-8"))
    assert record["smoke"] is False
    assert {"jax", "numpy"} <= set(record["versions"])
    for ending in ("png", "pdf"):
        assert 1000 < (ROOT / "figures" / f"{stem}.{ending}").stat().st_size < 300_000


def test_frequency_ratio_answer():
    panels = numbers("frequency_ratio")["panels"]

    def error(panel, value, name):
        index = panels[panel]["values"].index(value)
        return f"{frequency_ratio.errors(panels[panel], name)[index]:.2g} %"

    weighted = "ratio, weighted"
    assert_said(
        "study/frequency_ratio",
        f"errs by {error('noise', 0.01, weighted)}",
        f"least squares ({error('noise', 0.01, 'Gauss-Newton')})",
        f"the pointwise one by {error('noise', 0.01, 'ratio, pointwise')}",
        f"enough for {error('noise', 1e-4, 'ratio, pointwise')}",
        f"errs by {error('sigma', 0.5, 'free kernel')} at 0.5 px",
        f"{error('cropped', 2.0, weighted)} at 2 px for the weighted ratio",
        f"{error('cropped', 2.0, weighted + ', Hann')} under a Hann window",
        f"({error('cropped', 8.0, weighted + ', Hann')} at 8 px; a free kernel does better there,"
        f" {error('cropped', 8.0, 'free kernel, Hann')})",
        f"against {error('cropped', 2.0, 'estimate_blur')} on the interior",
        f"costs least squares {error('saturation', 0.01, 'Gauss-Newton')}",
    )


def test_cramer_rao_answer():
    series = numbers("cramer_rao")["series"]
    found = {
        name: {fit: cramer_rao.bias_and_scatter(part, fit) for fit in part["errors"]}
        for name, part in series.items()
    }
    noises = series["noise"]["values"]
    ours = [found[name]["interior: estimate_blur"] for name in found]
    scatter = np.concatenate([each[1] for each in ours])
    others = [
        each[1] for part in found.values() for fit, each in part.items() if "pointwise" not in fit
    ]
    hann = found["noise"]["Hann: Gauss-Newton"][0]
    periodic = found["noise"]["periodic: Gauss-Newton"][0]
    assert_said(
        "study/cramer_rao",
        f"is {float(f'{periodic[noises.index(0.01)]:.2g}'):g} times the bound",
        f"within {np.max(others):.2g} times the bound",
        f"under a Hann window it is {hann[noises.index(0.01)]:.2g} times the bound, and"
        f" {float(f'{hann[noises.index(0.001)]:.2g}'):g} times at 0.1 % noise",
        f"below {max(np.max(each[0]) for each in ours):.2g} bounds everywhere",
        f"its scatter {np.min(scatter):.2g} to {np.max(scatter):.2g} of the bound",
    )


def test_border_answer():
    found = numbers("border")
    worst = {
        name: f"{float(f'{100 * np.max(border.errors(found, name)[0]):.2g}'):g} %"
        for name in found["answers"]
    }
    worst["valid"] = f"{100 * np.max(border.errors(found, 'valid')[0]):.0e} %".replace(
        "e-14", "e-14"
    )
    zero = 100 * np.max(border.errors(found, "zero")[0], axis=1)
    assert_said(
        "study/border",
        f'`"valid"` errs by {worst["valid"]} at most',
        f"mirrored edges by {worst['reflect']}",
        f"repeated ones by {worst['nearest']}",
        f"a Hann window by {worst['Hann window']}",
        f"periodic images by {worst['periodic']}",
        f"zeros beyond the edge by {np.min(zero):.2g} to {float(f'{np.max(zero):.2g}'):g} %",
    )


def test_classical_transfer_functions_answer():
    found = numbers("noisy_reference")
    cell = found["noises"].index([0.2, 0.1]), found["sigmas"].index(1.0)
    first, second = (summarise(found, f"{name}, Hann window") for name in ("H1", "H2"))
    assert_said(
        "study/noisy_reference",
        f"they err by {first['rms'][cell]:.2g} % and {second['rms'][cell]:.2g} %",
    )
    for name in ("noise of both given", "noise of both estimated"):
        assert np.max(summarise(found, name)["swap"]) < 1e-6
    assert first["swap"][cell] > 100
    declined = [np.sum(summarise(found, name)["declined"]) for name in found["answers"]]
    assert max(declined) == 0
    assumed = summarise(found, "noise in B assumed")["covered"]
    assert_said("study/noisy_reference", f"in {np.min(assumed):.0f} % of the pairs of a cell")


def test_clipped_highlights_in_the_limits():
    kinds, said = numbers("silent_errors")["kinds"], {}
    for kind in ("clipped", "saturated"):
        found = {name: np.asarray(values) for name, values in kinds[kind].items()}
        trusted = np.isin(found["verdict"], TRUSTED) & (found["status"] == Status.ESTIMATED)
        held = int(np.sum(found["covered"][trusted]))
        off = 100 * np.abs(found["sigma"] / found["truth"] - 1)[trusted]
        said[kind] = len(trusted), np.sum(~trusted), np.sum(trusted), held, off
    count, doubted, trusted, held, _ = said["clipped"]
    assert held == trusted
    assert_said(
        "limits",
        f"Of {count} pairs of which B alone was clipped",
        f"{doubted} are doubted or refused, and the {trusted} trusted intervals all hold the truth",
    )
    count, doubted, trusted, held, off = said["saturated"]
    assert_said(
        "limits",
        f"of {count} pairs (up to 5 % of the pixels) {doubted} are doubted; of the {trusted}"
        f" trusted ones the interval holds the truth in {held}, with sigma off by"
        f" {np.median(off):.2f} % at the median and {np.max(off):.1f} % at most",
    )


def test_flat_scenes_in_the_limits():
    kinds = numbers("silent_errors")["kinds"]
    found = silent_errors.pooled(kinds[kind] for kind in ("flat, 8 bit", "flat, 8 bit, noise"))
    found = {name: np.asarray(values) for name, values in found.items()}
    trusted = np.isin(found["verdict"], TRUSTED) & (found["status"] == Status.ESTIMATED)
    assert np.all(found["covered"][trusted] == 1)
    off = 100 * np.median(np.abs(found["sigma"] / found["truth"] - 1)[trusted])
    assert_said(
        "limits",
        f"Of {len(trusted)} such pairs",
        f"{np.sum(trusted)} are trusted, and their intervals all hold the truth",
        f"with sigma off by {off:.1f} % at the median",
    )


def test_silent_errors_answer():
    found = numbers("silent_errors")
    said, shares = [], []
    for group in ("good", "spoilt"):
        kinds = silent_errors.in_group(found, group)
        answers = silent_errors.pooled(kinds.values())
        cells = silent_errors.confusion(answers)
        trusted = {wrong: cells[wrong, Said.TRUSTED] for wrong in (False, True)}
        total = sum(cells.values())
        shares.append(f"{100 * silent_errors.coverage(answers)[0]:.0f}")
        said.append((total, trusted[True], total - sum(trusted.values())))
        if group == "spoilt":
            wide = silent_errors.summarise(answers)["noise"]
    (good, silent, declined), (spoilt, wrong, _) = said
    rounded = (
        ("8 bit", "8 bit as floats"),
        ("flat, 8 bit", "flat, 8 bit, noise", "flat, of its bytes"),
    )
    rounded = [silent_errors.pooled(found["kinds"][k] for k in names) for names in rounded]
    doubted = [int(np.sum(silent_errors.is_doubted(answers))) for answers in rounded]
    counts = [len(answers["wrong"]) for answers in rounded]
    halo = found["departures"]["halo"]
    small = halo["answers"][halo["strengths"].index(0.3)]
    assert_said(
        "study/silent_errors",
        f"Of {good} good pairs {silent} were wrong and trusted, {declined} doubted or refused",
        f"Of {spoilt} spoilt ones {wrong} were wrong and trusted",
        f"at the median they are {wide:.2g} times as wide",
        f"({doubted[0]} of {counts[0]} photographs, {doubted[1]} of {counts[1]} flat scenes)",
        f"the interval covers {shares[0]} %",
        f"Their intervals cover {shares[1]} %",
        f"sigma by {silent_errors.moved(small):.2g} %",
        f"{silent} of {good} good pairs and {wrong} of {spoilt} spoilt ones",
    )
    assert_said(
        "README",
        f"Trusted and wrong were {silent} of {good} good pairs and {wrong} of {spoilt} spoilt ones;"
        f" the 95 % interval covered {shares[0]} and {shares[1]} %",
    )
    assert_said("paper/paper", f"Of {good} pairs of known blur", "none was wrong and trusted")
    assert silent == 0
    assert np.mean(silent_errors.is_honest(small)) < 0.5


def test_convergence_answer():
    found = numbers("convergence")
    steps = {name: convergence.reached(found, name, 1e-6) for name in found["methods"]}
    per_step = {n: method["milliseconds_per_step"] for n, method in found["methods"].items()}
    newton, lbfgs = "Gauss-Newton, variance", "L-BFGS, variance"
    logarithm = steps["L-BFGS, log sigma"]
    adam = np.nanmin([steps[name] for name in steps if name.startswith("Adam")])
    assert_said(
        "study/convergence",
        f"Gauss-Newton needs at most {np.max(steps[newton]):g}, L-BFGS on the variance at most"
        f" {np.max(steps[lbfgs]):g} that take {per_step[lbfgs] / per_step[newton]:.2g} times",
        f"logarithm of sigma {np.nanmin(logarithm):g} to {np.nanmax(logarithm):g} but",
        f"never less than {adam:g}",
    )
    for name in ("Adam, sigma", "L-BFGS, log sigma"):
        assert np.isnan(convergence.reached(found, name, 1e-3)[0])
    arrived = np.isfinite(steps["Adam, variance"])
    assert list(np.array(found["starts"])[arrived]) == [1, 4]


def test_which_kernel_answer():
    found = numbers("which_kernel")
    rates = which_kernel.rates(found)
    table = rows("study/which_kernel")
    names = [name.replace("$\\beta$", "beta") for name in rates]
    assert [name for name, *_ in table] == names
    for (_, *cells), rate in zip(table, rates.values(), strict=True):
        assert cells == [f"{100 * each:.0f}" for each in rate]
    (index,) = (k for k, noise in enumerate(found["noises"]) if noise == 0.01)
    pairs = len(found["photographs"]) * found["draws"][index]
    right = sum(round(rate[index] * pairs) for rate in rates.values())
    assert_said(
        "study/which_kernel",
        f"{right} of {pairs * len(rates)} pairs with 1 % of noise",
        f"lost to another kernel in {100 * which_kernel.lost_gaussians(found):.0f} %",
    )


def test_conventions_answer():
    tools = numbers("conventions")["tools"]
    columns = ("SciPy, scikit-image", "OpenCV, sigma", "OpenCV, 5 x 5 px", "Pillow, radius")
    table = rows("study/conventions")
    assert len(table) == 6
    for nominal, *cells in table:
        for column, cell in zip(columns, cells, strict=True):
            index = tools[column]["nominal"].index(float(nominal))
            assert cell == f"{tools[column]['true'][index]:.3f}"
    for nominal, *cells in rows("study/conventions", "nominal, px"):
        names = ("Skia", "ffmpeg gblur", "ImageMagick, 3 x sigma", "libvips")
        for name, cell in zip(names, cells, strict=True):
            index = tools[name]["nominal"].index(float(nominal))
            assert cell == f"{tools[name]['read']['continuous'][index]:.2f}"
    pillow, by_size = tools["Pillow, radius"], tools["OpenCV, size alone"]
    assert_said(
        "study/conventions",
        f"of kurtosis {pillow['kurtosis'][-1]:.1f} instead of 3",
        f"nearest to its 5 px has {pillow['read']['continuous'][-1]:.2f}",
        f"makes {by_size['true'][0]:.3f} px of 3 x 3, not the {by_size['nominal'][0]:g}",
    )
    for name, tolerance in zip(columns[:2], (1e-9, 5e-5), strict=True):
        tool = tools[name]
        np.testing.assert_allclose(tool["read"]["sampled"], tool["nominal"], rtol=tolerance)


def test_training_answer():
    found = numbers("training")
    joint = found["joint"]["absolute"]
    least, unchanged = np.array(found["least"]), np.array(found["unchanged"])
    linear = [100 * each["linear"] for each in found["power"]["shares"]]
    excess = {name: np.max(training.excess(found, name)) for name in found["answers"]}
    assert_said(
        "study/training",
        f"from {joint[0]:.2f} px after {found['steps'][0]} steps to {joint[-1]:.2f} px after"
        f" {found['steps'][-1]}",
        "to 1e-5 %",
        f"least squares to {excess['interior: squared']:.1g} %",
        f"the weighted ratio under a Hann window to {excess['Hann: ratio, weighted']:.2g} %",
        f"of their {found['power']['tiles']} tiles: {linear[0]:.0f} % of the power after"
        f" {found['steps'][0]} steps, {linear[-1]:.0f} % after {found['steps'][-1]}",
        f"set aside, {found['power']['aside'][-1]} in the end",
    )
    removed = 1 - np.median(least / unchanged, axis=1)[-1]
    assert removed == pytest.approx(1 / 6, rel=0.05)
    assert np.sum(np.array(found["answers"]["interior: absolute"]["status"][0]) != 0) == 1
    assert excess["interior: absolute"] < 1e-5


def test_many_pairs_answer():
    found = numbers("many_pairs")
    rms = {name: many_pairs.bias_and_rms(found, name)[1][-1] for name in found["answers"]}
    times = found["milliseconds"]
    assert_said(
        "study/many_pairs",
        f"over {found['counts'][-1]} of them the joint fit has an rms error of"
        f" {rms['joint fit']:.2g} %",
        f"the bound being {100 * found['bounds'][-1]:.2g} % ({found['repeats']} repeats: known to"
        f" {100 / (2 * found['repeats']) ** 0.5:.0f} %)",
        f"single fits {rms['mean of single fits']:.2g} %",
        f"come nearer ({rms['weighted mean of them']:.2g} %, at"
        f" {times['weighted mean of them'] / times['joint fit']:.2g} times the joint fit's time)",
        f"at {times['Adam, 10 epochs'] / times['joint fit']:.2g} times the time",
        f"is {rms['Adam, 1 epoch']:.2g} % off after one",
    )
    assert rms["Adam, 10 epochs"] == pytest.approx(rms["joint fit"], rel=0.05)


def test_speed_answer():
    found = numbers("speed")
    index = found["sizes"].index(1024)

    def ratio(name):
        median = np.median(speed_bars.ratios(found, name)[:, index])
        return f"{float(f'{median:.2g}'):g}"

    def paged(name):
        (each,) = (each for each in found["pages"] if each["fit"] == name)
        usual, huge = speed_table.paged(each)
        return f"{huge:.0f} instead of {usual:.0f} ms"

    judged = speed_bars.rows(found)
    spread = [np.max(row.measured) / np.min(row.measured) for row in judged if "px" in row.what]
    seconds = [speed_table.seconds_to_compile(found, name)[index] for name in FITS]
    start = speed_bars.start_ratios(found)
    images = found["memory"]["bytes"]
    batch = found["processes"][0]["batches"][0]
    sizes = (256, 512, 1024, 2048)
    passes = speed_bars.of_single_pairs(found, "passes") / speed_bars.floors(found)
    least = [f"{np.median(passes[:, found['sizes'].index(size)]):.1f}" for size in sizes]
    disputed = [np.min(row.measured) <= row.bar < np.max(row.measured) for row in judged]
    assert_said(
        "study/speed",
        f"medians of {len(found['processes'])} processes",
        f"{batch['pairs']} pairs of {batch['size']} px take"
        f" {np.median(speed_bars.batch_ratios(found, 'seconds')):.0f} units of theirs, by `vmap`"
        f" {np.median(speed_bars.batch_ratios(found, 'mapped')):.0f}.",
        f"the ratio {ratio('closed form')}",
        f"Gauss-Newton on spectra {ratio('Gauss-Newton')}",
        f"`estimate_blur` {ratio('estimate_blur')} with",
        f"with `noise_std` {ratio('estimate_blur, noise_std')},",
        f"with a full covariance, gain and shift {ratio('estimate_blur, full + gain + shift')};",
        f"SciPy's blur {ratio('SciPy blur, bounded search')}",
        f"OpenCV's {ratio('OpenCV blur, bounded search')}",
        f"differ by up to a factor {max(spread):.1f}.",
        "for {:g} to {:g} s".format(*(float(f"{s:.1g}") for s in (min(seconds), max(seconds)))),
        f"{start['first run']:.1f} times a process that imports JAX and adds once,"
        f" {start['later run']:.1f} times",
        f"{images['grown'] / images['images']:.2g} times",
        f"Gauss-Newton takes {paged('Gauss-Newton')} and",
        f"`noise_std` {paged('estimate_blur, noise_std')}.",
        f"{sum(row.is_met for row in judged)} of {len(judged)} bars",
        f"takes {', '.join(least[:-1])} and {least[-1]} units at",
        f"{sum(disputed)} bars the processes do not agree",
    )
    fits = ("closed form", "Gauss-Newton")
    unmet = {f"{name}, {size} px" for fit in fits for name in (fit, alone(fit)) for size in sizes}
    plain = ("estimate_blur", "estimate_blur, noise_std")
    unmet |= {f"{name}, {size} px" for name in plain for size in (512, 1024)}
    unmet |= {f"{alone('estimate_blur')}, 512 px"}
    unmet |= {f"command, {found['start']['size']} px, {run} run" for run in ("first", "later")}
    unmet |= {"batch of 256 pairs of 64 px"}
    assert {row.what for row in judged if not row.is_met} == unmet
    largest = found["sizes"].index(2048)
    for fit in fits:
        jitted, direct = (speed_bars.ratios(found, name)[:, largest] for name in (fit, alone(fit)))
        assert np.median(direct) < np.median(jitted)


def test_fleet_answer():
    found = numbers("fleet")
    ratios, rate = fleet.ratios(found), fleet.rate(found)
    few, many = sorted(map(int, found["memory"]))
    assert_said(
        "study/fleet",
        f"fits {rate:.0f} pairs/s of {found['size']} x {found['size']} px",
        f"in {ratios['clock']:.2g} times the time of decoding",
        f"changes by {100 * ratios['memory']:+.1f} % from {few:,} to {many:,} pairs",
    )
    units = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    table = rows("study/fleet")
    assert len(table) == len(fleet.FLEETS)
    for pairs, (count, one, hundred, sent) in zip(fleet.FLEETS, table, strict=True):
        assert float(count.replace("10^", "1e")) == pairs
        for nodes, shown in ((1, one), (100, hundred)):
            value, unit = shown.split()
            assert_shown(value, pairs / rate / nodes / units[unit])
        assert sent == f"{found['reduction_bytes'] / 1e6:.2g} MB"


def test_exponent_answer():
    found = numbers("exponent")
    exponents, leak = np.array(found["exponents"]), np.abs(found["leak"])
    crops, periodic = (np.array(found["series"][name]) for name in ("valid", "periodic"))
    near = np.abs(exponents - 2) < 0.21
    null = np.array(found["null"])
    inside = np.mean(leak[0] < 1.96 * leak[2] + 1e-6)
    count = crops[0, 0].size
    assert_said(
        "study/exponent",
        f"over {count} crops per exponent is {np.max(np.abs(crops[0, near])):.2g} for p from 1.8",
        f"and {np.max(np.abs(crops[0])):.2g} for p from 1 to 3",
        f"in whole periodic frames it is {np.max(np.abs(periodic[0])):.2g}",
        f"cover {100 * exponent.covered(crops):.0f} % of the crops",
        f"and {100 * exponent.covered(periodic):.0f} % of the periodic frames",
        f"moves p by {np.max(leak[0]):.2g} at most",
        f"which was {np.max(leak[2]):.2g} at most",
        f"held {100 * inside:.0f} % of these errors",
        f"{null.size} blurs of 80 px",
        f"At the level of 1 % {100 * exponent.rejected(null, 0.01):.2g} % were rejected",
        f"at 5 % {100 * exponent.rejected(null, 0.05):.2g} %",
    )
    # What was asked for.
    assert np.max(np.abs(crops[0, near])) < exponent.LARGEST
    assert np.max(np.abs(periodic[0])) < exponent.LARGEST
    assert null.size >= 4000
    assert abs(exponent.rejected(null, 0.01) - 0.01) < 0.004


def test_blur_map_answer():
    maps = {key: np.array(column) for key, column in numbers("blur_map")["maps"].items()}

    def mean(field, way):
        here = (maps["field"] == field) & (maps["noise"] == 0.01) & (maps["tile"] == 64)
        return float(np.mean(maps[f"{way}_mean"][here]))

    assert_said(
        "study/blur_map",
        f"a mean error of {mean('ramp', 'centre'):.2g} % and of {mean('ramp', 'position'):.2g} %",
        f"values at the centres ({mean('ramp', 'shrunk'):.2g} %)",
        f"stay ({mean('step', 'position'):.1g} %, shrunk {mean('step', 'shrunk'):.2g} %)",
    )


def test_coarse_grid_answer():
    found = numbers("coarse_grid")
    exact, noisy, enlarged = found["exact"], found["noisy"], found["enlarged"]

    def worst(whole, least):
        pairs = zip(exact["ratio"], exact["pixel"], exact["true"], strict=True)
        cells = {cell for cell in pairs if ("/" in cell[0]) != whole and cell[2] >= least}
        return max(coarse_grid.worst(exact, *cell) for cell in cells)

    rms = np.sqrt(np.mean(np.square(noisy["rms"]), axis=0))
    doubtful = np.array(enlarged["doubted"]) | (np.array(enlarged["bars_off"]) > 5)
    read = {
        true: np.mean(
            [s for s, t in zip(enlarged["by_hand"], enlarged["true"], strict=True) if t == true]
        )
        for true in (1, 4)
    }
    assert_said(
        "study/coarse_grid",
        f"B has {found['size']} px",
        f"is {worst(True, 0):.0e} for whole ratios and {worst(False, 0):.0e} for the others",
        f"rms error of sigma is {rms[0]:.2f} times the Cramer-Rao bound, that of the shift"
        f" {np.sqrt(np.mean(rms[1:] ** 2)):.2f} times",
        f"over {len(noisy['cover'])} cells of {found['draws']} draws",
        f"cover {100 * np.mean(noisy['cover']):.0f} % of the sigmas",
        f"{np.sum(doubtful)} of {len(doubtful)} answers are doubted",
        f"4 px reads {read[4]:.2f}, and one of 1 px {read[1]:.1f}",
    )
    assert max(worst(True, 2), worst(False, 2)) < 1e-7


def test_resized_answer():
    found = numbers("resized")
    table = {name: cells for name, *cells in rows("study/resized")}
    for tool in resized.TOOLS:
        sigmas, trusted = [], 0
        for factor in resized.FACTORS:
            answers = resized.chosen(found["answers"], tool, factor)
            sigmas.append(float(np.median(answers["sigma"].astype(float))) / factor)
            trusted += int(np.sum(said(answers) == "explained"))
        # Not a minus in front of nothing.
        shown = [f"{round(sigma, 2) + 0:.2f}" for sigma in sigmas]
        assert table[tool] == [*shown, str(trusted)]
    volume = found["volume"]
    assert_said(
        "study/resized", f"reads {volume['sigma']:.4f} +- {volume['standard_error']:.4f} px"
    )


def test_chroma_answer():
    found = numbers("chroma")
    table = {tuple(cells[:2]): cells[2:] for cells in rows("study/chroma")}
    for subsampling in chroma.HALVED:
        for axis in chroma.AXES:
            answers = chroma.chosen(found["answers"], subsampling, axis)
            mtf50 = answers["mtf50"].astype(float)
            fallen = int(np.sum(np.isfinite(mtf50)))
            middle = f"{np.median(mtf50):.3f}" if fallen == len(mtf50) else "-"
            sigma = f"{np.median(answers['sigma'].astype(float)):.2f}"
            assert table[subsampling, axis] == [middle, sigma, f"{fallen} of {len(mtf50)}"]
    assert_said("study/chroma", f"MTF50 is {found['known_mtf50']:.4f} cycles/px")


def test_the_design_page_quotes_the_study():
    study = "".join(page(f"study/{stem}") for stem in EXPERIMENTS if stem != "first_look")
    design = page("design")
    assert set(re.findall(r"\(\*(\w+)\*", design)) <= {*EXPERIMENTS, "prototype"}
    parts = [part for part in design.split("\n\n") if "(*prototype*)" not in part]
    quoted = re.findall(r"[\d.e-]+(?= %)", " ".join(parts))
    assert len(quoted) > 10
    assert not [number for number in quoted if not re.search(rf"\b{re.escape(number)}\b", study)]
