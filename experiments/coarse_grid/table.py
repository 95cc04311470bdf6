"""The numbers of the study as text."""

from typing import Any

import numpy as np


def worst(exact: dict[str, list], ratio: str, pixel: str, sigma: float) -> float:
    """Largest relative error over the scenes; NaN where there is none, infinite with a status."""
    rows = zip(*(exact[key] for key in ("ratio", "pixel", "true", "sigma", "status")), strict=True)
    found = [
        abs(s / sigma - 1) if not status else np.inf
        for r, p, true, s, status in rows
        if (r, p, true) == (ratio, pixel, sigma)
    ]
    return max(found, default=np.nan)


def table(numbers: dict[str, Any]) -> str:
    """Errors without noise, scatter with it, the enlarged images and the cost."""
    exact, noisy, enlarged = (numbers[name] for name in ("exact", "noisy", "enlarged"))
    sigmas = sorted(set(exact["true"]))
    lines = [
        f"{numbers['size']} coarse px. Without noise: largest relative error over the scenes",
        f"{'sigma, fine px':16}" + "".join(f"{sigma:>10g}" for sigma in sigmas),
    ]
    for pixel in ("area", "point"):
        for ratio in dict.fromkeys(exact["ratio"]):
            cells = (worst(exact, ratio, pixel, sigma) for sigma in sigmas)
            shown = ("" if np.isnan(cell) else f"{cell:.1g}" for cell in cells)
            lines.append(f"{f'{ratio}, {pixel}':16}" + "".join(f"{cell:>10}" for cell in shown))
    lines += [
        "",
        f"Noise in B, gain, offset and shift fitted, {numbers['draws']} draws:",
        "rms over the bound of sigma and shifts, cover of sigma and shifts, explained",
    ]
    for k, ratio in enumerate(noisy["ratio"]):
        rms = " ".join(f"{each:.2f}" for each in noisy["rms"][k])
        cover = f"{noisy['cover'][k]:.2f} {noisy['shift_cover'][k]:.2f}"
        place = f"{ratio}, sigma {noisy['true'][k]:g}, {100 * noisy['noise'][k]:g} %"
        lines.append(f"{place:24}{rms:>18}{cover:>14}{noisy['explained'][k]:>8.2f}")
    if enlarged:
        lines += ["", "Ratio 4, B enlarged by hand: sigma, its error in error bars; on two grids"]
        for k, name in enumerate(enlarged["scene"]):
            doubt = ", doubted" if enlarged["doubted"][k] else ""
            found = f"{enlarged['by_hand'][k]:.3f} ({enlarged['bars_off'][k]:.0f}{doubt})"
            two = f"{enlarged['two_grids'][k]:.4f}"
            lines.append(f"{name:12}{enlarged['true'][k]:>6g}{found:>28}{two:>12}")
    for cost in numbers["cost"]:
        lines += ["", f"CPU time, two grids over one of {cost['size']} px:"]
        for name, seconds in cost["seconds"].items():
            lines.append(f"{name:28}{seconds['two'] / seconds['one']:>6.2f}")
    return "\n".join(lines)
