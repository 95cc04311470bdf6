"""How Sphinx builds these pages; `make docs` runs it."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "gaussjax"
author = "gaussjax contributors"
project_copyright = author
release = version = version_of("gaussjax")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "api_pages",
    "linked_names",
]
exclude_patterns = ["_build", "extensions", "paper"]

autodoc_typehints = "none"  # the docstrings tell units and shapes, which types cannot
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_attr_annotations = False
napoleon_use_ivar = True  # an attribute told in its class is not told once more
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"gaussjax {release}"
html_copy_source = False
html_show_sphinx = False
