"""The layout: a module imports only from lower floors, heavy imports are lazy, names are told."""

import ast
import re
from pathlib import Path

import pytest

import gaussjax

PACKAGE = Path(gaussjax.__file__).parent
FLOORS = {
    "arguments": 0,
    "grid": 0,
    "kernels": 0,
    "linear_algebra": 0,
    "part": 0,
    "bands": 0,
    "losses": 1,
    "image_decoders": 0,
    "cli_cache": 0,
    "cli_types": 0,
    "boundary": 1,
    "cli_options": 1,
    "cli_process": 1,
    "params": 1,
    "radial_bins": 1,
    "solvers": 1,
    "spectra": 1,
    "sums": 0,
    "spectral_moments": 1,
    "uncertainty": 1,
    "whitening": 1,
    "tiff_decoder": 1,
    "transfer": 2,
    "evidence": 2,
    "adequacy": 3,
    "alignment": 2,
    "image_files": 2,
    "blur_sums": 3,
    "residuals": 3,
    "pair": 4,
    "result": 4,
    "synthetic": 3,
    "assembly": 5,
    "model": 4,
    "criterion": 5,
    "frequency_ratio": 6,
    "start": 5,
    "errors_in_variables": 6,
    "fit": 6,
    "least_squares": 6,
    "streamed_least_squares": 7,
    "tiles": 5,
    "passes": 6,
    "robust": 6,
    "pair_fit": 8,
    "random_effects": 0,
    "processes": 0,
    "pair_sums": 7,
    "pair_root": 8,
    "pair_record": 9,
    "batch_sums": 10,
    "joint_start": 11,
    "joint_sums": 9,
    "joint_fit": 12,
    "pair_sources": 3,
    "pair_reader": 4,
    "pair_set": 5,
    "batches": 5,
    "pair_stream": 6,
    "joint_pass": 12,
    "pass_file": 13,
    "first_passes": 13,
    "tile_grid": 0,
    "block_tridiagonal": 1,
    "field_variation": 0,
    "field_posterior": 2,
    "random_field": 3,
    "sensitivity": 5,
    "tile_estimates": 10,
    "local_blur": 11,
    "map_drawing": 12,
    "dataset_result": 10,
    "dataset": 14,
    "estimate": 9,
    "oriented_pair": 10,
    "empirical_transfer": 11,
    "family_comparison": 11,
    "cli_output": 12,
    "cli_parser": 3,
    "cli_dataset_options": 2,
    "cli_map_options": 2,
    "cli_inputs": 3,
    "cli_progress": 0,
    "cli_text": 0,
    "cli_dataset_output": 15,
    "cli_map_output": 16,
    "cli_dataset": 17,
    "cli_map": 17,
    "dataset_figure": 11,
    "report": 12,
    "cli": 20,
    "__main__": 21,
}
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")


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
    return ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))


def test_every_module_has_a_floor():
    assert set(MODULES) == set(FLOORS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_from_lower_floors(module):
    for name in imports(parse(module)):
        _, _, inner = name.partition("gaussjax.")
        inner = inner.split(".")[0]
        if name.startswith("gaussjax.") and inner in FLOORS:
            assert FLOORS[inner] < FLOORS[module], f"{module} imports {inner}"


@pytest.mark.parametrize("module", [*MODULES, "__init__"])
def test_files_and_figures_are_imported_lazily_and_nothing_is_unpickled(module):
    tree = parse(module)
    at_top = {name.split(".")[0] for name in imports(tree, top_level=True)}
    assert at_top.isdisjoint({"matplotlib", "optax", "PIL", "tifffile"})
    everywhere = {name.split(".")[0] for name in imports(tree)}
    assert everywhere.isdisjoint({"pickle", "scipy", "skimage", "optimistix"})


@pytest.mark.parametrize("module", [*MODULES, "__init__"])
def test_no_addresses_of_registries(module):
    text = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
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
