"""The verdict on an estimate: whether a Gaussian blur explains the pair, in a sentence."""

from gaussjax.statistics.message_enum import Code


class Verdict(Code):
    """What an estimate says about its pair, beside the status of the fit."""

    EXPLAINED = 0, "a Gaussian blur explains the pair"
    EXPLAINED_POORLY = 1, "a Gaussian blur explains the pair poorly"
    SHARPER = 2, "the second image is the sharper one"
    NOT_IDENTIFIABLE = 3, "the pair does not tell its blur"
    MISALIGNED = 4, "the images are misaligned: fit the shift, or register them first"
    HETEROGENEOUS = 5, "the pairs do not have one blur: see the scatter and the population mean"


TRUSTED = (Verdict.EXPLAINED, Verdict.SHARPER)  # those that do not doubt an estimate
