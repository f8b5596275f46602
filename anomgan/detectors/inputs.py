"""Turns all forms in which users give images to a detector into a list of sources."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from anomgan.data.decode import from_pillow
from anomgan.data.normals import Source, sources_of
from anomgan.errors import InputError

One: TypeAlias = Source | Image.Image
"""One image: a path, a uint8 or uint16 array [H, W] or [H, W, 3] in RGB, or a PIL image."""
Images: TypeAlias = Path | str | np.ndarray | Iterable[One]
"""A folder; a list of images, or an array of them; or an array [n, H, W] or [n, H, W, 3]."""


def as_source(image: object) -> Source:
    """Return the source of one image; a PIL image becomes an array.

    Raises:
        InputError: it is not a path, an array or a PIL image.
    """
    if isinstance(image, Image.Image):
        return from_pillow(image, "image")
    if isinstance(image, Path | str | np.ndarray):
        return image
    raise InputError(
        f"an image is of type {type(image).__name__}; give a path, a numpy array, uint8 or uint16, "
        f"of shape [H, W] or [H, W, 3] (RGB), or a PIL image"
    )


def as_sources(images: Images) -> list[Source]:
    """Return the source of every image.

    Raises:
        InputError: the folder has no images, or an array does not hold images.
    """
    if isinstance(images, Path | str):
        path = Path(images)
        return [path] if path.is_file() else sources_of(path)
    if isinstance(images, np.ndarray):
        if images.dtype.kind in "OU":  # of any images, or of paths
            return [as_source(one) for one in images.ravel()]
        several = images.ndim == 4 or (images.ndim == 3 and images.shape[2] != 3)
        if not several:
            raise InputError(
                f"an array of shape {images.shape} is not a batch of images; give [n, H, W] or "
                f"[n, H, W, 3] (RGB), or a list for one image"
            )
        return list(images)
    try:
        return [as_source(one) for one in images]
    except TypeError:
        raise InputError(
            f"images are of type {type(images).__name__}; give a folder, a list of images, or an "
            f"array [n, H, W] or [n, H, W, 3] (RGB)"
        ) from None
