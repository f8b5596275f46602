"""Rendered photographs of a machined part, good and defective, with true masks.

The part is a turned flange on a dark bench: circular tool marks that throw a bow-tie highlight,
a bore, six bolt holes with chamfers, uneven light, a slightly varying pose, and camera noise.
"""

from pathlib import Path

import cv2
import numpy as np

from anomgan.data.encode import write_png
from anomgan.data.flange_scene import BORE, OUTER, Scene, inside, pose, render_surface, to_pixels
from anomgan.errors import SettingsError

DEFECTS = ("scratch", "dent", "stain", "chip")
NOISE = 2.0
"""Standard deviation of the camera noise in grey levels."""
VISIBLE = 5 * NOISE
"""A defect's mean change is at least this many grey levels over the upper half of its mask."""


def render_part(
    seed: int, size: int = 256, defect: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Render one part; the same seed with and without a defect is the same part.

    Args:
        seed: decides pose, light, texture, noise and defect.
        size: side of the image in pixels, 64 to 2048.
        defect: one of `DEFECTS`, or None for a good part.

    Returns:
        Image and mask, both uint8 [size, size]. The mask is 255 where the defect changes the
        surface visibly, and all 0 for a good part.

    Raises:
        SettingsError: unknown defect, or a size out of range.
    """
    if defect is not None and defect not in DEFECTS:
        raise SettingsError(f"unknown defect {defect}; choose {', '.join(DEFECTS)}")
    if not 64 <= size <= 2048:
        raise SettingsError(f"size = {size}: a part is rendered at 64 to 2048 pixels")
    rng = np.random.default_rng((seed, 0))
    scene = pose(rng, size)
    clean = render_surface(scene, rng)
    image, mask = clean, np.zeros((size, size), np.uint8)
    if defect is not None:
        image, mask = _damage(clean, scene, defect, np.random.default_rng((seed, 1)))
    noise = np.random.default_rng((seed, 2)).normal(0, NOISE, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8), mask


def write_line(
    folder: Path, normal: int, test_normal: int, per_defect: int, *, seed: int = 0, size: int = 256
) -> None:
    """Write a data set in MVTec AD layout: train/good, test/good, test/<defect>, ground_truth.

    Every image has a seed of its own.
    """
    kinds: list[tuple[str, str | None, int]] = [
        ("train/good", None, normal),
        ("test/good", None, test_normal),
    ]
    kinds += [(f"test/{defect}", defect, per_defect) for defect in DEFECTS]
    number = seed * 1_000_000
    for place, defect, count in kinds:
        for index in range(count):
            image, mask = render_part(number, size, defect)
            write_png(folder / place / f"{index:03d}.png", image)
            if defect:
                write_png(folder / "ground_truth" / defect / f"{index:03d}_mask.png", mask)
            number += 1


def _damage(
    clean: np.ndarray, scene: Scene, defect: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Add a defect, stronger until it is visible; returns image and mask."""
    draw = {"scratch": _scratch, "dent": _dent, "stain": _stain, "chip": _chip}[defect]
    change = draw(clean, scene, rng)
    while True:
        depth = np.abs(change)
        visible = depth > max(2 * NOISE, 0.25 * depth.max())
        strong = depth[visible]
        if strong.size and strong[strong >= np.median(strong)].mean() >= VISIBLE:
            return clean + change, visible.astype(np.uint8) * 255
        change = change * 1.4


def _spot(scene: Scene, rng: np.random.Generator, margin: float) -> tuple[float, float]:
    """A random place at least `margin` inside the metal."""
    rows, columns = np.nonzero(scene.metal > margin)
    pick = int(rng.integers(len(rows)))
    return float(scene.x[rows[pick], columns[pick]]), float(scene.y[rows[pick], columns[pick]])


def _scratch(clean: np.ndarray, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    x, y = _spot(scene, rng, 0.02)
    heading, bend = rng.uniform(0, 2 * np.pi), rng.uniform(-4, 4)
    along = np.linspace(-0.5, 0.5, 40) * rng.uniform(0.1, 0.3)
    path_x = x + along * np.cos(heading) - bend * along**2 * np.sin(heading)
    path_y = y + along * np.sin(heading) + bend * along**2 * np.cos(heading)
    size = clean.shape[0]
    line = np.zeros_like(clean, dtype=np.float32)
    row, column = to_pixels(scene, path_x, path_y)
    points = (np.stack([column, row], axis=1) * 16).round().astype(np.int32)
    thick = max(1, round(size * rng.uniform(0.004, 0.008)))
    cv2.polylines(line, [points], False, 1.0, thick, cv2.LINE_AA, shift=4)
    step = max(1, thick // 2)
    lip = np.roll(line, (step, step), axis=(0, 1))
    fade = inside(scene.metal - 0.004, scene.softness)
    return (rng.uniform(30, 55) * np.clip(lip - line, 0, 1) - rng.uniform(35, 60) * line) * fade


def _dent(clean: np.ndarray, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    radius = rng.uniform(0.015, 0.035)
    x, y = _spot(scene, rng, 1.2 * radius)
    across, along = (scene.x - x) / radius, (scene.y - y) / (radius * rng.uniform(0.8, 1.25))
    bowl = np.exp(-(across**2 + along**2))
    tilt = across * np.cos(scene.light) + along * np.sin(scene.light)
    fade = inside(scene.metal, scene.softness)
    return -rng.uniform(90, 140) * tilt * bowl * fade - 14 * bowl * fade


def _stain(clean: np.ndarray, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    radius = rng.uniform(0.03, 0.07)
    cover = _blob(scene, rng, *_spot(scene, rng, 0.03), radius, soft=0.12)
    rim = cover * (1 - cover) * 4
    return (
        -clean * (rng.uniform(0.22, 0.4) * cover + 0.1 * rim) * inside(scene.metal, scene.softness)
    )


def _chip(clean: np.ndarray, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    a = rng.uniform(0, 2 * np.pi)
    if rng.random() < 0.7:
        x, y = OUTER * np.cos(a), OUTER * np.sin(a)
    else:
        x, y = BORE * np.cos(a), BORE * np.sin(a)
    cover = _blob(scene, rng, x, y, rng.uniform(0.02, 0.045), soft=0.06)
    fracture = scene.background * 0.9 + 8 * cover
    return (fracture - clean) * cover * inside(scene.metal, scene.softness)


def _blob(
    scene: Scene, rng: np.random.Generator, x: float, y: float, radius: float, soft: float
) -> np.ndarray:
    """An irregular patch around (x, y), 0 to 1; `soft` is the width of its rim in radii."""
    around = np.arctan2(scene.y - y, scene.x - x)
    reach = np.ones_like(around)
    for wave in range(2, 8):
        reach += rng.normal(0, 0.35 / wave) * np.cos(wave * around + rng.uniform(0, 2 * np.pi))
    distance = np.hypot(scene.x - x, scene.y - y) / radius
    return inside((reach - distance) * radius, max(soft * radius, scene.softness))
