"""A fitted rotation and scale, with their error bars."""

import jax

from gaussjax.numerics.pytree import pytree


@pytree
class Motion:
    """Rotation and scale about the centre of the frame; arrays gain leading axes under ``vmap``.

    Attributes:
        angle: rad by which B is turned against A, from the last axis towards the first: clockwise
            where the first row is shown on top.
        scale: of B over A; above 1 B shows the scene larger.
        angle_standard_error: rad.
        scale_standard_error: of ``scale``.
    """

    angle: jax.Array
    scale: jax.Array
    angle_standard_error: jax.Array
    scale_standard_error: jax.Array
