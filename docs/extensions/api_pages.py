"""Sphinx extension: a page for every public name, from `gaussjax.__all__`, and their table."""

import enum
import re
from pathlib import Path

import gaussjax

# By the folder in which a name lives, in the order of the page.
TOPICS = {
    "pair": "One pair",
    "model": "Blur and kernels",
    "statistics": "Results",
    "dataset": "Many pairs",
    "io": "Files",
    "maps": "Maps",
    "report": "Beside an estimate: transfer functions, comparisons, figures",
    "spectra": "Spectra: periodic images, noise",
    "numerics": "Compiled programs",
}


def home_folder(name: str) -> str:
    """The folder of the package that a public name lives in."""
    return gaussjax._HOMES[name].split(".")[0]


def page(name: str) -> str:
    """One name, as reStructuredText."""
    public = getattr(gaussjax, name)
    if isinstance(public, type):
        options = ["   :members:"]
        if issubclass(public, enum.Enum):
            options += ["   :undoc-members:"]
        body = [f".. autoclass:: gaussjax.{name}", *options]
    else:
        body = [f".. autofunction:: gaussjax.{name}"]
    return "\n".join([name, "=" * len(name), "", *body, ""])


def table() -> str:
    """All names by topic, each with the first line of its docstring."""
    missing = {home_folder(name) for name in gaussjax.__all__} - set(TOPICS)
    if missing:
        raise ValueError(f"public names live in {missing}: add a topic to docs/extensions")
    lines = ["API reference", "=============", ""]
    lines += ["Every public name is imported from ``gaussjax`` itself.", ""]
    for folder, title in TOPICS.items():
        names = sorted(n for n in gaussjax.__all__ if home_folder(n) == folder)
        lines += [title, "-" * len(title), "", ".. list-table::", "   :widths: 30 70", ""]
        for name in names:
            summary = without_bars((getattr(gaussjax, name).__doc__ or "").strip().split("\n")[0])
            lines += [f"   * - :doc:`{name} <{name}>`", f"     - {summary}"]
        lines += [""]
    lines += [".. toctree::", "   :hidden:", ""]
    lines += [f"   {name}" for name in sorted(gaussjax.__all__, key=str.lower)]
    return "\n".join([*lines, ""])


def write_pages(app) -> None:
    """Write the pages that have changed, before Sphinx looks for sources."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    texts = {name: page(name) for name in gaussjax.__all__} | {"index": table()}
    for name, text in texts.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.glob("*.rst"):
        if path.stem not in texts:
            path.unlink()


def without_bars(line: str) -> str:
    """``|a|`` of a formula is no substitution of reStructuredText; in a literal it never is."""
    parts = re.split(r"(``[^`]*``)", line)
    parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
    return "".join(parts)


def escape_bars(app, what, name, thing, options, lines) -> None:
    """Escape the bars of a docstring."""
    lines[:] = map(without_bars, lines)


def setup(app):
    """What Sphinx calls."""
    app.connect("autodoc-process-docstring", escape_bars, priority=900)  # after napoleon
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
