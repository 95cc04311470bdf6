"""Sphinx extension: a public name in backticks is a link to its page of the reference."""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

import gaussjax

NAMES = set(gaussjax.__all__)


class LinkNames(SphinxPostTransform):
    """Turn ``name``, ``gaussjax.name`` and ``name(...)`` into references."""

    default_priority = 5  # before references are resolved

    def run(self, **kwargs) -> None:
        """Of every literal text that is not within a link already."""
        for literal in list(self.document.findall(nodes.literal)):
            name = re.sub(r"\(.*\)$", "", literal.astext()).removeprefix("gaussjax.")
            linked = literal.parent
            while linked is not None and not isinstance(
                linked, addnodes.pending_xref | nodes.reference | nodes.title
            ):
                linked = linked.parent
            if name not in NAMES or linked is not None:
                continue
            target = addnodes.pending_xref(
                "",
                refdomain="py",
                reftype="obj",
                reftarget=f"gaussjax.{name}",
                refexplicit=True,
                refwarn=True,
                refdoc=self.env.docname,
            )
            literal.replace_self(target)
            target += literal


def setup(app):
    """What Sphinx calls."""
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True}
