"""Arrays that are spread over devices, on meshes whose axes are explicit."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import jax
from jax.sharding import AxisType, PartitionSpec

from gaussjax.numerics.pytree import flatten

F = TypeVar("F", bound=Callable[..., Any])


def automatic_sharding(function: F) -> F:
    """Leave it to the compiler how the arrays inside of a function are spread over devices.

    On a mesh with explicit axes, as ``jax.make_mesh`` makes them, the type of an array says how it
    is spread. Some operations, a reshape or a scatter, then ask for the type of their result, which
    a function that is mapped over a batch cannot know: it sees one element. Arguments and results
    are spread as the batch is, and otherwise the same on all devices.
    """

    @wraps(function)
    def wrapped(*args, **kwargs):
        leaves, structure = flatten((args, kwargs))
        meshes = {k: mesh for k, leaf in enumerate(leaves) if (mesh := _explicit_mesh(leaf))}
        if not meshes:
            return function(*args, **kwargs)
        mesh, same = next(iter(meshes.values())), PartitionSpec()
        if any(each != mesh for each in meshes.values()):
            raise ValueError(
                "arguments are spread over different meshes: put them on one by jax.device_put;"
                f" got {', '.join(map(str, set(meshes.values())))}"
            )

        def call(*arrays):
            for k, array in zip(meshes, arrays, strict=True):
                leaves[k] = array
            args, kwargs = jax.tree.unflatten(structure, leaves)
            return function(*args, **kwargs)

        with jax.sharding.use_abstract_mesh(mesh):
            automatic = jax.sharding.auto_axes(call, axes=_explicit_axes(mesh), out_sharding=same)
            # No compiler splits a Fourier transform along its own axes.
            return automatic(*(jax.reshard(leaves[k], same) for k in meshes))

    return wrapped  # pyright: ignore[reportReturnType]


def _explicit_mesh(leaf: Any) -> Any:
    """The mesh over which an array is spread, if it has explicit axes; else None."""
    if not isinstance(leaf, jax.Array):
        return None
    mesh = jax.typeof(leaf).sharding.mesh
    return mesh if _explicit_axes(mesh) else None


def _explicit_axes(mesh: Any) -> tuple[str, ...]:
    pairs = zip(mesh.axis_names, mesh.axis_types, strict=True)
    return tuple(name for name, kind in pairs if kind == AxisType.Explicit)
