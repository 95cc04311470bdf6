"""What a pair departs from the fitted model by, in a sentence with its remedy."""

from gaussjax.statistics.message_enum import Code


class Cause(Code):
    """The most significant departure of a pair from the fitted model, and what to do about it."""

    NONE = 0, "nothing but noise is left over"
    GAIN = 1, "a difference in gain is left: pass gain=True"
    OFFSET = 2, "a difference in level is left: pass offset=True"
    SHIFT = 3, "a displacement is left: pass shift=True, or register the images"
    ANISOTROPY = 4, "the blur differs by direction: pass family='full'"
    KERNEL = 5, "the blur has another shape than a Gaussian"
    ASYMMETRY = 6, "the blur is lopsided: the kernel is no Gaussian, or varies"
    ROTATION = 7, "one image is rotated against the other: pass motion='similarity'"
    SCALE = 8, "the images differ in scale: pass motion='similarity'"
    VARYING_BLUR = 9, "the blur varies over the frame: use blur_map"
    SHADING = 10, "the illumination differs over the frame: divide it out, or use smaller frames"
    TONE = 11, "the images differ in tone curve: compare linear intensities"
    NOISE_IN_REFERENCE = 12, "looks like noise in the sharper image: pass noise_std"
    CONVENTION = 13, "another kernel convention fits better: see kernel="
    INVERTED = 14, "the contrast is inverted: negate one image, or the images are unrelated"
    NOISE_SPECTRUM = (
        15,
        "the spectrum of the residual is not that of the noise: the levels of noise_std are wrong,"
        " or the noise is not white (noise_correlation)",
    )
    LEAKAGE = 16, "the kernel's tail reaches beyond the frame: use a larger one"
    NOT_A_FILTER = (
        17,
        "what is left lies on the details: no filter at all, as a median, denoising or a codec, or"
        " photon noise in the sharper image",
    )
    OUTLIERS = 18, "a few pixels make up what is left over: mask them, or pass loss='huber'"


# Causes that tell of images that do not lie on each other.
MOVES = Cause.SHIFT, Cause.ROTATION, Cause.SCALE
# Causes that tell of another kernel than a Gaussian, to which there is a nearest one all the same.
SHAPES = Cause.KERNEL, Cause.ASYMMETRY
