"""How many bits of its 16-bit files a camera uses."""

import numpy as np

from anomgan.machine.notes import counted

DEPTHS = (8, 10, 12, 14)
FEW = 1e-3
"""Share of all values that may lie above the depth: hot pixels, and lines that a camera marks."""


class Depth:
    """Counts the values of 16-bit images, and finds their common depth.

    Cameras write 10 or 12 bits into 16-bit files. A single hot pixel must not decide: if 12 bits
    were taken for 16, a network would only see values from 0 to 16 of 255.
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._above: list[list[int]] = []
        self._values = 0

    def count(self, image: np.ndarray, name: str) -> None:
        """Count the values of a uint16 image."""
        self._names.append(name)
        self._above.append([int(np.count_nonzero(image >= 2**bits)) for bits in DEPTHS])
        self._values += image.size

    @property
    def bits(self) -> int:
        """The least of 8, 10, 12, 14 and 16 that nearly all values fit into; 16 without values."""
        totals = np.sum(self._above, axis=0) if self._above else [1] * len(DEPTHS)
        fits = (bits for bits, above in zip(DEPTHS, totals) if above <= FEW * self._values)
        return next(fits, 16)

    def describe(self, images: int) -> str:
        """Describe the depth that was found among so many images."""
        bits = self.bits
        text = (
            f"16-bit files: {len(self._names)} of {images} images; {bits} bits are in use, so "
            f"{2**bits - 1} is taken for white"
        )
        if bits == 16:
            return text
        column = [above[DEPTHS.index(bits)] for above in self._above]
        brighter = [name for name, above in zip(self._names, column) if above]
        if not brighter:
            return text
        return (
            f"{text}; {counted(sum(column), 'brighter value')} in "
            f"{counted(len(brighter), 'image')}, such as {brighter[0]}, taken for hot pixels"
        )
