"""How the families of Gaussians compare by Akaike's information criterion (AIC)."""

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.numerics.pytree import pytree, static


@pytree
class FamilyComparison:
    """Akaike's information criterion of every family, from the simplest to the richest.

    Attributes:
        aic: ``[families]``; only differences mean something, and 10 are plenty.
        names: "none", "isotropic", and what else the pair can have (static).
    """

    aic: jax.Array
    names: tuple[str, ...] = static()

    @property
    def weights(self) -> jax.Array:
        """Akaike weights ``exp(-(AIC - least AIC) / 2)``, normalised, ``[families]``."""
        relative = jnp.exp(-0.5 * (self.aic - jnp.nanmin(self.aic)))
        return relative / jnp.nansum(relative)

    @property
    def best(self) -> str:
        """The family of the least AIC."""
        aic = np.asarray(self.aic)
        return self.names[int(np.argmin(np.where(np.isfinite(aic), aic, np.inf)))]

    def __str__(self) -> str:
        """A row for every family: AIC above the least, and weight."""
        excess, weights = self.aic - jnp.nanmin(self.aic), self.weights
        rows = zip(self.names, excess, weights, strict=True)
        return "\n".join(f"{name:<14}AIC +{d:<10.4g} weight {w:.3g}" for name, d, w in rows)
