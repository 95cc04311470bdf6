"""Numbers with a sentence each: what statuses and verdicts are."""

import enum

import numpy as np
import numpy.typing as npt


class Code(enum.IntEnum):
    """A member is its number; :attr:`message` says in a sentence what it means."""

    message: str

    def __new__(cls, value: int, message: str):
        """A number and its sentence."""
        code = int.__new__(cls, value)
        code._value_, code.message = value, message
        return code

    def __jax_array__(self):
        """An integer of the type that it is compared with; else one of the default type."""
        return np.int32(int(self))

    @property
    def label(self) -> str:
        """Its name in records and tables: "too_small"."""
        return self.name.lower()

    @classmethod
    def label_of(cls, code: npt.ArrayLike) -> str:
        """:attr:`label` of a number in an array."""
        return cls(int(code)).label  # pyright: ignore

    @classmethod
    def labels(cls) -> dict[int, str]:
        """:attr:`label` of every number."""
        return {int(code): code.label for code in cls}

    @classmethod
    def messages(cls, codes: npt.ArrayLike) -> str | list[str]:
        """The sentence of a number; a list of them for an array. Not available under tracing."""
        codes = np.asarray(codes)
        found = [cls(int(code)).message for code in codes.reshape(-1)]  # pyright: ignore
        return found if codes.ndim else found[0]
