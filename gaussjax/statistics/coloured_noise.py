"""Noise whose neighbours correlate: levels v of noise with the spectra v s, s the colour.

None stands for white noise everywhere, s = 1, which costs nothing.
"""

import jax

# (v_A, v_B) of white noise, or (v_A s_A, v_B s_B) by frequency, each on the grid of its image.
Levels = jax.Array | tuple[jax.Array, jax.Array]
Colours = tuple[jax.Array, jax.Array]  # (s_A, s_B)


def tinted(values: jax.Array, colour: jax.Array | None) -> jax.Array:
    """What noise of a colour leaves where white noise leaves ``values``: one number, or spectra."""
    if colour is None:
        return values
    stacked = values.ndim - colour.ndim
    return values * (colour[(None,) * stacked] if stacked > 0 else colour)


def coloured(noise: jax.Array, colours: Colours | None) -> Levels:
    """The levels with the colours of the noise; None: white."""
    if colours is None:
        return noise
    return tinted(noise[0], colours[0]), tinted(noise[1], colours[1])
