"""What every experiment shares: its command line, its style, and a figure beside its numbers."""

import argparse
import json
import os
import platform
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import jax
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from gaussjax.report import style
from gaussjax.statistics.json_values import json_values

FIGURES = Path(__file__).parents[2] / "figures"
PACKAGES = ("gaussjax", "jax", "jaxlib", "numpy", "scipy", "scikit-image", "matplotlib")

# Okabe & Ito's palette, of which the package uses a part.
BLUE, SKY, GREEN, GREY = style.BLUE, style.SKY_BLUE, style.GREEN, style.GREY
ORANGE, VERMILION = style.ORANGE, style.VERMILION
PURPLE, BLACK = "#CC79A7", "#000000"

# Drawn 7 inches wide, so that 11 points are still 5.5 at half the width of a page.
STYLE: dict[Any, Any] = {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.8,
    "lines.markersize": 4,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "savefig.dpi": 160,
}


@dataclass(frozen=True)
class Experiment:
    """One question, the numbers that answer it, and how they are shown.

    Attributes:
        stem: file name of the figure without its suffix.
        question: in one line.
        run: ``run(seed=..., **smoke)`` computes the numbers.
        table: the numbers as text.
        plot: the numbers as a figure.
        smoke: keyword arguments of the small run that ``--smoke`` asks for.
    """

    stem: str
    question: str
    run: Callable[..., dict[str, Any]]
    table: Callable[[dict[str, Any]], str]
    plot: Callable[[dict[str, Any]], Figure]
    smoke: dict[str, Any]

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """What the command line does; ``arguments`` as of a shell."""
        options = parser(self.question)
        # Run as a module of a folder, the name would be __main__.py.
        options.prog = f"python -m experiments.{self.stem}"
        self.answer(options.parse_args(arguments))
        return 0

    def answer(self, options: argparse.Namespace) -> None:
        """Run in float64, print the table, save figure and numbers."""
        output = options.output or (Path(tempfile.mkdtemp()) if options.smoke else FIGURES)
        with jax.enable_x64(True):
            if options.redraw:
                record = json.loads((output / f"{self.stem}.json").read_text())
            else:
                numbers = self.run(seed=options.seed, **(self.smoke if options.smoke else {}))
                record = {**provenance(options), "numbers": json_values(numbers)}
        print(f"\n{self.question}\n\n{self.table(record['numbers']).strip()}")
        with matplotlib.rc_context(STYLE):
            save(self.plot(record["numbers"]), record, output / self.stem)
        print(f"\nSaved {output / self.stem}.png, .pdf and .json")


def parser(description: str) -> argparse.ArgumentParser:
    """The options that every experiment takes."""
    options = argparse.ArgumentParser(description=description)
    size = options.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="the run of the figure (default)")
    size.add_argument("--smoke", action="store_true", help="a small run, to a temporary folder")
    options.add_argument("--seed", type=int, default=0, help="of the random numbers (default 0)")
    options.add_argument("--output", type=Path, help="folder to write to (default: figures/)")
    options.add_argument("--redraw", action="store_true", help="draw the saved numbers once more")
    return options


def provenance(options: argparse.Namespace) -> dict[str, Any]:
    """What has to be known to get the same numbers again."""
    return {
        "seed": options.seed,
        "smoke": options.smoke,
        "x64": jax.config.read("jax_enable_x64"),
        "device": jax.default_backend(),
        "cpu_count": os.cpu_count(),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
    }


def save(figure: Figure, record: dict[str, Any], path: Path) -> None:
    """Write ``path``.png, .pdf and .json; the same record gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = BytesIO()
    figure.savefig(buffer)
    figure.set_layout_engine("none")  # the PDF is laid out as the picture is
    # A palette: a third of the size.
    picture = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(path.with_suffix(".png"), optimize=True)
    figure.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None})
    text = json.dumps(record, indent=1, allow_nan=False)
    # Lists of numbers on one line each.
    text = re.sub(r"\[\s+([^][{}]*?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    path.with_suffix(".json").write_text(text + "\n")


def columns(rows: Sequence[dict[str, Any]]) -> dict[str, list]:
    """A list for each key, from a dictionary for each row."""
    return {key: [row[key] for row in rows] for key in rows[0]}


def six_digits(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Rounded, so that the file of thousands of numbers stays small."""
    return np.array([float(f"{value:.6g}") for value in values])
