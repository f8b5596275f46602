"""Trial defects: painted on good photographs, to compare settings before any defect is at hand.

Training draws damage too, but another way: `data.damage` fills random shapes with any content, on
views; these look like certain defects, and are painted at the resolution of the photograph. What a
detector finds of them is no measure of what it finds of real ones, but settings can be ranked by it
without a look at any.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from anomgan.data.decode import read_image, to_uint8
from anomgan.data.encode import write_png
from anomgan.errors import InputError, SettingsError

FAINTEST = 8.0
"""Grey levels by which a defect changes the surface at least, on the mean over its mask."""
ON_PART = 0.7
"""How lively the surface under a defect is at least, as a share of what lively places are like."""
TRIES = 40
Place = tuple[float, float, float]
"""Where a defect goes, (x, y), and the shorter side of the image, in pixels."""
Painted = tuple[np.ndarray, np.ndarray]
"""An image with a defect, and a mask uint8 [H, W], 255 where it was changed."""


def paint(image: np.ndarray, kind: str, rng: np.random.Generator) -> Painted:
    """A good photograph with a defect on it.

    Args:
        image: uint8 [H, W] or [H, W, 3].
        kind: one of `KINDS`.
        rng: decides place, size and strength.

    Returns:
        The image, likewise, and a mask uint8 [H, W], 255 where it was changed.

    Raises:
        SettingsError: there is no such kind.
    """
    if kind not in KINDS:
        raise SettingsError(f"unknown trial defect {kind}; choose {', '.join(KINDS)}")
    lively = _lively(image)
    least = ON_PART * np.square(lively).sum() / lively.sum()
    best, painted, mask = -1.0, image, np.zeros(image.shape[:2], np.uint8)
    for _ in range(TRIES):
        tried, where = KINDS[kind](image, _place(lively, rng), rng)
        if not where.any():
            continue
        change = np.abs(tried.astype(np.float32) - image)
        if change.ndim == 3:
            change = change.mean(2)
        # A defect beside the part, or where the part is black, would be no test.
        good = min(change[where > 0].mean() / FAINTEST, lively[where > 0].mean() / least)
        if good > best:
            best, painted, mask = good, tried, where
        if good >= 1:
            break
    return painted, mask


def relight(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A photograph as under another lamp, by another camera setting.

    Its gamma differs by up to 15%, its contrast and its gain by up to 10%, its offset by up to 10
    grey levels.

    Args:
        image: uint8 [H, W] or [H, W, 3].
        rng: decides how much.
    """
    x = (image / 255) ** np.exp(rng.uniform(-0.15, 0.15))
    mean = x.mean()
    x = (x - mean) * np.exp(rng.uniform(-0.1, 0.1)) + mean + rng.uniform(-0.04, 0.04)
    return _to_pixels(255 * x * np.exp(rng.uniform(-0.1, 0.1)))


def write_trial(
    folder: Path,
    images: Sequence[Path],
    test: Sequence[Path],
    *,
    seed: int = 0,
    each: int = 1,
    relit: bool = False,
) -> None:
    """Write a data set in MVTec AD layout: images to learn from, good ones, and painted ones.

    Args:
        folder: to be written; it must not exist yet.
        images: good photographs to learn from; they are linked, not copied.
        test: other good photographs: `test/good`, and the ground of every defect.
        seed: of everything random.
        each: defects of each kind that are painted on each of `test`, on an image each.
        relit: each image that is tested on is under a lamp of its own, good or not.

    Raises:
        InputError: the folder exists, or an image cannot be read.
    """
    if folder.exists():
        raise InputError(f"{folder} exists already; choose another folder for the trial")
    _link(images, folder / "train" / "good")
    if relit:
        for number, path in enumerate(test):
            rng = np.random.default_rng((seed, number))
            image = relight(to_uint8(read_image(path), 16), rng)
            write_png(folder / "test" / "good" / f"{number:05d}.png", image)
    else:
        _link(test, folder / "test" / "good")
    for kind_number, kind in enumerate(KINDS):
        for number, path in enumerate(test):
            image = to_uint8(read_image(path), 16)
            for turn in range(each):
                rng = np.random.default_rng((seed, kind_number, number, turn))
                painted, mask = paint(image, kind, rng)
                painted = relight(painted, rng) if relit else painted
                name = f"{number:05d}_{turn}"
                write_png(folder / "test" / kind / f"{name}.png", painted)
                write_png(folder / "ground_truth" / kind / f"{name}_mask.png", mask)


def _link(paths: Sequence[Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, path in enumerate(paths):
        (folder / f"{number:05d}{path.suffix}").symlink_to(path.resolve())


def _pit(image: np.ndarray, place: Place, rng: np.random.Generator) -> Painted:
    """A small hole: dark in the middle, with a lit rim on one side."""
    x, y, side = place
    radius = side * rng.uniform(0.008, 0.03)
    across, along = _turned(image, x, y, rng)
    distance = np.hypot(across, along * rng.uniform(0.6, 1.0)) / radius
    hole = _soft(1 - distance, 0.3)
    rim = np.exp(-(((distance - 1.2) / 0.25) ** 2)) * (across > 0)
    factor = 1 - rng.uniform(0.3, 0.75) * hole + rng.uniform(0.0, 0.25) * rim
    return _multiplied(image, factor), _mask(np.maximum(hole, 0.6 * rim))


def _crack(image: np.ndarray, place: Place, rng: np.random.Generator) -> Painted:
    """A thin dark line that wanders, and may branch."""
    x, y, side = place
    heading, step = rng.uniform(0, 2 * np.pi), side * 0.01
    line = np.zeros(image.shape[:2], np.float32)
    thick = max(1, round(side * rng.uniform(0.003, 0.008)))
    for _ in range(int(rng.integers(1, 3))):
        path = [(x, y)]
        turn = heading + rng.normal(0, 0.5)
        for _ in range(int(rng.integers(12, 45))):
            turn += rng.normal(0, 0.25)
            path.append((path[-1][0] + step * np.cos(turn), path[-1][1] + step * np.sin(turn)))
        points = (np.array(path) * 16).round().astype(np.int32)
        cv2.polylines(line, [points], False, 1.0, thick, cv2.LINE_AA, shift=4)
    return _multiplied(image, 1 - rng.uniform(0.2, 0.6) * line), _mask(line)


def _chip(image: np.ndarray, place: Place, rng: np.random.Generator) -> Painted:
    """A broken-out area with straight rims, flatter than the surface, darker or lighter."""
    x, y, side = place
    count = int(rng.integers(5, 10))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    reach = side * rng.uniform(0.02, 0.08) * rng.uniform(0.5, 1.2, count)
    corners = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], 1)
    area = np.zeros(image.shape[:2], np.float32)
    cv2.fillPoly(area, [(corners * 16).round().astype(np.int32)], 1.0, cv2.LINE_AA, shift=4)
    if not area.any():
        return image, _mask(area)
    inside = image[area > 0.5] if (area > 0.5).any() else image.reshape(-1, *image.shape[2:])
    level = inside.mean(0) * rng.choice([rng.uniform(0.3, 0.75), rng.uniform(1.3, 1.8)])
    flat = level + rng.uniform(0.1, 0.5) * (image - inside.mean(0))
    return _blended(image, flat, area), _mask(area)


def _stain(image: np.ndarray, place: Place, rng: np.random.Generator) -> Painted:
    """A large area, a little darker or lighter, with a soft outline."""
    x, y, side = place
    radius = side * rng.uniform(0.06, 0.2)
    across, along = _turned(image, x, y, rng)
    around = np.arctan2(along, across)
    reach = 1.0 + sum(
        rng.normal(0, 0.25 / wave) * np.cos(wave * around + rng.uniform(0, 6.3))
        for wave in range(2, 6)
    )
    area = _soft(reach - np.hypot(across, along * rng.uniform(0.5, 1.0)) / radius, 0.4)
    strength = rng.uniform(0.12, 0.3) * rng.choice([-1, 1])
    return _multiplied(image, 1 + strength * area), _mask(area)


def _scuff(image: np.ndarray, place: Place, rng: np.random.Generator) -> Painted:
    """A bundle of fine parallel scratches, some lighter and some darker."""
    x, y, side = place
    length, width = side * rng.uniform(0.08, 0.25), side * rng.uniform(0.02, 0.06)
    across, along = _turned(image, x, y, rng)
    area = _soft(1 - np.abs(across) / length, 0.3) * _soft(1 - np.abs(along) / width, 0.3)
    lines = rng.normal(0, 1, 64).astype(np.float32)
    pitch = max(1.0, side * 0.003)
    pattern = lines[np.floor(along / pitch).astype(int) % len(lines)]
    return _multiplied(image, 1 + rng.uniform(0.1, 0.3) * area * pattern), _mask(area)


def _dent(image: np.ndarray, place: Place, rng: np.random.Generator) -> Painted:
    """A place where the surface is pushed aside: its lines are bent, its colours are the same."""
    x, y, side = place
    radius = side * rng.uniform(0.02, 0.06)
    across, along = _turned(image, x, y, rng)
    reach = (across / radius) ** 2 + (along / (radius * rng.uniform(0.5, 1.0))) ** 2
    push = np.exp(-(reach**2))
    shift = radius * rng.uniform(0.3, 0.6) * push
    turn = rng.uniform(0, 2 * np.pi)
    rows, columns = np.indices(image.shape[:2], np.float32)
    source = np.float32([columns + shift * np.cos(turn), rows + shift * np.sin(turn)])
    bent = cv2.remap(image, *source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return bent, _mask(3 * push)


KINDS: dict[str, Callable[[np.ndarray, Place, np.random.Generator], Painted]] = {
    "pit": _pit,
    "crack": _crack,
    "chip": _chip,
    "stain": _stain,
    "scuff": _scuff,
    "dent": _dent,
}
"""What can be painted, by name."""


def _place(lively: np.ndarray, rng: np.random.Generator) -> Place:
    """The livelier the surroundings, the likelier a place.

    Parts have edges and grain, a background has less of both.
    """
    chances = np.cumsum(lively, dtype=np.float64)
    y, x = divmod(int(np.searchsorted(chances, rng.random() * chances[-1])), lively.shape[1])
    return float(x), float(y), float(min(lively.shape))


def _lively(image: np.ndarray) -> np.ndarray:
    """Deviation [H, W] of the surroundings of each pixel; all of the liveliest tenth are alike."""
    grey = image.astype(np.float32) if image.ndim == 2 else image.mean(2, dtype=np.float32)
    width = 0.02 * min(grey.shape)
    mean, square = (cv2.GaussianBlur(values, (0, 0), width) for values in (grey, grey * grey))
    lively = np.sqrt(np.maximum(square - mean * mean, 0))
    return np.minimum(lively, np.quantile(lively, 0.9)) + 1e-3


def _turned(
    image: np.ndarray, x: float, y: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates [H, W] in pixels from (x, y), along an axis in a random direction and across."""
    rows, columns = np.indices(image.shape[:2], np.float32)
    turn = rng.uniform(0, 2 * np.pi)
    across = (columns - x) * np.cos(turn) + (rows - y) * np.sin(turn)
    along = (rows - y) * np.cos(turn) - (columns - x) * np.sin(turn)
    return across, along


def _soft(inside: np.ndarray, width: float) -> np.ndarray:
    """1 inside, 0 outside, with a soft rim."""
    return np.clip(inside / width + 0.5, 0, 1)


def _multiplied(image: np.ndarray, factor: np.ndarray) -> np.ndarray:
    scale = factor if image.ndim == 2 else factor[:, :, None]
    return _to_pixels(image * scale)


def _blended(image: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    part = share if image.ndim == 2 else share[:, :, None]
    return _to_pixels(image + part * (other - image))


def _to_pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _mask(share: np.ndarray) -> np.ndarray:
    return ((share > 0.3) * 255).astype(np.uint8)
