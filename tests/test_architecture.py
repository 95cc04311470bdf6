"""The layout: heavy imports are lazy, names are told, nothing is fetched or unpickled."""

import ast
import re
from pathlib import Path

import pytest

import gaussjax

PACKAGE = Path(gaussjax.__file__).parent
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


def imports(tree, *, top_level=False):
    """Full names of what a module imports; from x import y gives both x and x.y."""
    nodes = tree.body if top_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parse(module):
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", MODULES)
def test_files_and_figures_are_imported_lazily_and_nothing_is_unpickled(module):
    tree = parse(module)
    at_top = {name.split(".")[0] for name in imports(tree, top_level=True)}
    assert at_top.isdisjoint({"matplotlib", "optax", "PIL", "tifffile"})
    everywhere = {name.split(".")[0] for name in imports(tree)}
    assert everywhere.isdisjoint({"pickle", "scipy", "skimage", "optimistix"})


@pytest.mark.parametrize("module", MODULES)
def test_no_addresses_of_registries(module):
    text = (PACKAGE / module).read_text(encoding="utf-8")
    assert not re.search(r"https?://|index-url|allow_pickle=True", text)


@pytest.mark.parametrize("name", gaussjax.__all__)
def test_public_names_exist_and_say_what_they_are(name):
    public = getattr(gaussjax, name)
    assert public.__doc__
    assert name in dir(gaussjax)
    if callable(public) and not isinstance(public, type):
        assert len(public.__doc__.splitlines()) > 1 or name == "sum_spectra"


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="estimate_sigma"):
        _ = gaussjax.estimate_sigma
