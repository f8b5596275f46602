"""Rendered images of a plate with a part on it."""

import numpy as np

SIDE = 48


def draw_plates(count: int, seed: int, part: bool = True, side: int = SIDE) -> list[np.ndarray]:
    """Photographs of a rough dark plate in varying light, with a bright square screwed on."""
    rng = np.random.default_rng(seed)
    images = rng.normal(70, 4, (count, side, side)) + rng.normal(0, 3, (count, 1, 1))
    place = slice(side // 4, side // 2)
    if part:
        images[:, place, place] += 130
    return list(np.clip(images, 0, 255).astype(np.uint8))
