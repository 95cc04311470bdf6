"""The verdict on an estimate: whether a Gaussian blur explains the pair, in a sentence."""

import enum


class Verdict(enum.IntEnum):
    """What an estimate says about its pair, beside the status of the fit."""

    EXPLAINED = 0
    EXPLAINED_POORLY = 1
    SHARPER = 2
    NOT_IDENTIFIABLE = 3
    MISALIGNED = 4

    @property
    def message(self) -> str:
        """One plain sentence."""
        return _MESSAGES[self]


_MESSAGES = {
    Verdict.EXPLAINED: "a Gaussian blur explains the pair",
    Verdict.EXPLAINED_POORLY: "a Gaussian blur explains the pair poorly",
    Verdict.SHARPER: "the second image is the sharper one",
    Verdict.NOT_IDENTIFIABLE: "the pair does not tell its blur",
    Verdict.MISALIGNED: "the images are misaligned: fit the shift, or register them first",
}
