"""The option names that callers and the command share, and their check. No JAX here."""


def check_option(value: str, allowed: tuple[str, ...], name: str) -> None:
    """Raise ValueError unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")


# Our names on the left, the padding rule of numpy.pad on the right. SciPy's "reflect" repeats the
# edge pixel, which NumPy calls "symmetric".
PAD_MODES = {"reflect": "symmetric", "nearest": "edge", "zero": "constant"}
BOUNDARIES = ("valid", "periodic", *PAD_MODES)
PADDED_BOUNDARIES = tuple(PAD_MODES)
KERNELS = ("continuous", "sampled", "integrated", "discrete")
LOSSES = ("squared", "absolute", "huber")
FAMILIES = ("isotropic", "axis_aligned", "full")
PIXELS = ("area", "point")
MOTIONS = ("similarity",)
# exp(-(s |w|)^p / 2), which is a Gaussian for p = 2 alone: where it is offered beside the Gaussians
GENERALISED = "generalised"
ALL_FAMILIES = (*FAMILIES, GENERALISED)


def check_family(family: str) -> None:
    """Raise ValueError unless ``family`` is one of Gaussians."""
    if family == GENERALISED:
        raise ValueError(
            f"family={GENERALISED!r} is fitted by estimate_blur, pair by pair; here it must be"
            f" one of {', '.join(FAMILIES)}"
        )
    check_option(family, FAMILIES, "family")
