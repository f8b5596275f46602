"""Lays transparent images over black."""

import numpy as np


def over_black(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Lay colour [H, W] or [H, W, 3] over black, by alpha [H, W] of the same unsigned type.

    Alpha that is the same everywhere is ignored. It says nothing about the part: often a camera or
    a program has left the fourth channel at 0.
    """
    if alpha.min() == alpha.max():
        return colour
    top = np.iinfo(alpha.dtype).max
    wide = np.uint32 if top < 2**16 else np.uint64
    weight = alpha.astype(wide) if colour.ndim == 2 else alpha.astype(wide)[:, :, None]
    return ((colour * weight + top // 2) // top).astype(colour.dtype)
