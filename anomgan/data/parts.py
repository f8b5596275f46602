"""Rendered photographs of a machined part, good and defective, with true masks.

The part is a turned flange on a dark bench: circular tool marks that throw a bow-tie highlight,
a bore, six bolt holes with chamfers, uneven light, a slightly varying pose, and camera noise.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from anomgan.errors import SettingsError
from anomgan.files import atomic_path

DEFECTS = ("scratch", "dent", "stain", "chip")
OUTER, BORE, HOLE, CIRCLE, HOLES = 0.41, 0.13, 0.036, 0.27, 6
"""Radii of flange, bore, bolt holes and their circle, in image sides; number of holes."""
CHAMFER = 0.012
NOISE = 2.0
"""Standard deviation of the camera noise in grey levels."""
VISIBLE = 5 * NOISE
"""A defect's mean change is at least this many grey levels over the upper half of its mask."""


@dataclass
class _Scene:
    """One pose of the part; coordinates are in image sides from the part's centre."""

    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    angle: np.ndarray
    light: float
    softness: float
    metal: np.ndarray
    background: np.ndarray


def render_part(
    seed: int, size: int = 256, colour: bool = False, defect: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Render one part; the same seed with and without a defect is the same part.

    Args:
        seed: decides pose, light, texture, noise and defect.
        size: side of the image in pixels, 64 to 2048.
        colour: brass in slightly warm light instead of grey steel.
        defect: one of `DEFECTS`, or None for a good part.

    Returns:
        Image uint8 [size, size] or [size, size, 3], and mask uint8 [size, size]: 255 where the
        defect changes the surface visibly, all 0 for a good part.

    Raises:
        SettingsError: unknown defect, or a size out of range.
    """
    if defect is not None and defect not in DEFECTS:
        raise SettingsError(f"unknown defect {defect}; choose {', '.join(DEFECTS)}")
    if not 64 <= size <= 2048:
        raise SettingsError(f"size = {size}: a part is rendered at 64 to 2048 pixels")
    rng = np.random.default_rng((seed, 0))
    scene = _pose(rng, size)
    clean = _surface(scene, rng)
    image, mask = clean, np.zeros((size, size), np.uint8)
    if defect is not None:
        image, mask = _damage(clean, scene, defect, np.random.default_rng((seed, 1)))
    tint = np.array([1.06, 0.96, 0.74]) if colour else np.ones(1)
    pixels = image[:, :, None] * tint
    if colour and defect == "stain":
        pixels[mask > 0] *= np.array([1.1, 0.95, 0.85])
    noise = np.random.default_rng((seed, 2)).normal(0, NOISE, pixels.shape)
    pixels = np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)
    return pixels if colour else pixels[:, :, 0], mask


def write_line(
    folder: Path,
    normal: int,
    test_normal: int,
    per_defect: int,
    *,
    seed: int = 0,
    size: int = 256,
    colour: bool = False,
) -> None:
    """Write a data set in MVTec AD layout: train/good, test/good, test/<defect>, ground_truth.

    Every image has a seed of its own.
    """
    kinds = [("train/good", None, normal), ("test/good", None, test_normal)]
    kinds += [(f"test/{defect}", defect, per_defect) for defect in DEFECTS]
    number = seed * 1_000_000
    for place, defect, count in kinds:
        for index in range(count):
            image, mask = render_part(number, size, colour, defect)
            _write_png(folder / place / f"{index:03d}.png", image)
            if defect:
                _write_png(folder / "ground_truth" / defect / f"{index:03d}_mask.png", mask)
            number += 1


def _write_png(path: Path, image: np.ndarray) -> None:
    pixels = image if image.ndim == 2 else image[:, :, ::-1]
    _, data = cv2.imencode(".png", pixels)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.tobytes())


def _pose(rng: np.random.Generator, size: int) -> _Scene:
    turn = np.deg2rad(rng.uniform(-4, 4))
    shift = rng.uniform(-0.015, 0.015, 2)
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    x, y = np.meshgrid(axis - shift[0], axis - shift[1])
    x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    softness = 1.2 / size
    hole_angles = np.arange(HOLES) * 2 * np.pi / HOLES
    holes = np.full_like(radius, np.inf)
    for a in hole_angles:
        holes = np.minimum(holes, np.hypot(x - CIRCLE * np.cos(a), y - CIRCLE * np.sin(a)) - HOLE)
    # Signed distance to the metal's boundary, positive inside the metal.
    metal = np.minimum(np.minimum(OUTER - radius, radius - BORE), holes).astype(np.float32)
    light = np.deg2rad(rng.uniform(-60, -30)) + turn
    return _Scene(x, y, radius, angle, light, softness, metal, _background(rng, size))


def _background(rng: np.random.Generator, size: int) -> np.ndarray:
    grain = rng.normal(0, 1, (size, size)).astype(np.float32)
    cloth = cv2.GaussianBlur(grain, (0, 0), max(0.6, size / 200))
    return 28 + 6 * cloth / cloth.std()


def _surface(scene: _Scene, rng: np.random.Generator) -> np.ndarray:
    """The part before camera noise, grey levels as float32."""
    size = scene.radius.shape[0]
    # Tool marks: noise over radius that changes slowly along the turn.
    marks = rng.normal(0, 1, (256, 48)).astype(np.float32)
    marks = cv2.GaussianBlur(np.tile(marks, 3), (0, 0), sigmaX=4, sigmaY=0.7)[:, 48:96]
    marks = np.hstack([marks, marks[:, :1]]) / marks.std()
    column = (scene.angle / (2 * np.pi) + 0.5) * 48
    grooves = cv2.remap(
        marks,
        column.astype(np.float32),
        (scene.radius / OUTER * 255).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    bow_tie = np.cos(scene.angle - scene.light) ** 4
    glow = rng.uniform(24, 40) * bow_tie
    slope_x, slope_y = rng.uniform(-0.18, 0.18, 2)
    gain = rng.uniform(0.92, 1.08) * (1 + slope_x * scene.x * 2 + slope_y * scene.y * 2)
    fine = cv2.GaussianBlur(rng.normal(0, 1, (size, size)).astype(np.float32), (0, 0), 0.7)
    metal = (118 + glow + 7 * grooves + 3 * fine) * gain
    # A chamfer faces outwards: bright towards the light, dark away from it.
    edge = np.clip(1 - np.abs(scene.metal - CHAMFER / 2) / (CHAMFER / 2), 0, 1)
    down_y, down_x = np.gradient(scene.metal)
    steep = np.hypot(down_x, down_y) + 1e-9
    facing = (-down_x * np.cos(scene.light) - down_y * np.sin(scene.light)) / steep
    metal = metal + edge * (70 * facing - 5)
    shadow = 1 - 0.45 * np.exp(-np.clip(-scene.metal, 0, None) / 0.03)
    return _over(scene.background * gain * shadow, metal, _inside(scene.metal, scene.softness))


def _damage(
    clean: np.ndarray, scene: _Scene, defect: str, rng: np.random.Generator
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


def _spot(scene: _Scene, rng: np.random.Generator, margin: float) -> tuple[float, float]:
    """A random place at least `margin` inside the metal."""
    rows, columns = np.nonzero(scene.metal > margin)
    pick = int(rng.integers(len(rows)))
    return float(scene.x[rows[pick], columns[pick]]), float(scene.y[rows[pick], columns[pick]])


def _scratch(clean: np.ndarray, scene: _Scene, rng: np.random.Generator) -> np.ndarray:
    x, y = _spot(scene, rng, 0.02)
    heading, bend = rng.uniform(0, 2 * np.pi), rng.uniform(-4, 4)
    along = np.linspace(-0.5, 0.5, 40) * rng.uniform(0.1, 0.3)
    path_x = x + along * np.cos(heading) - bend * along**2 * np.sin(heading)
    path_y = y + along * np.sin(heading) + bend * along**2 * np.cos(heading)
    size = clean.shape[0]
    line = np.zeros_like(clean, dtype=np.float32)
    row, column = _to_pixels(scene, path_x, path_y)
    points = (np.stack([column, row], axis=1) * 16).round().astype(np.int32)
    thick = max(1, round(size * rng.uniform(0.004, 0.008)))
    cv2.polylines(line, [points], False, 1.0, thick, cv2.LINE_AA, shift=4)
    step = max(1, thick // 2)
    lip = np.roll(line, (step, step), axis=(0, 1))
    fade = _inside(scene.metal - 0.004, scene.softness)
    return (rng.uniform(30, 55) * np.clip(lip - line, 0, 1) - rng.uniform(35, 60) * line) * fade


def _dent(clean: np.ndarray, scene: _Scene, rng: np.random.Generator) -> np.ndarray:
    radius = rng.uniform(0.015, 0.035)
    x, y = _spot(scene, rng, 1.2 * radius)
    across, along = (scene.x - x) / radius, (scene.y - y) / (radius * rng.uniform(0.8, 1.25))
    bowl = np.exp(-(across**2 + along**2))
    tilt = across * np.cos(scene.light) + along * np.sin(scene.light)
    fade = _inside(scene.metal, scene.softness)
    return -rng.uniform(90, 140) * tilt * bowl * fade - 14 * bowl * fade


def _stain(clean: np.ndarray, scene: _Scene, rng: np.random.Generator) -> np.ndarray:
    radius = rng.uniform(0.03, 0.07)
    cover = _blob(scene, rng, *_spot(scene, rng, 0.03), radius, soft=0.12)
    rim = cover * (1 - cover) * 4
    return -clean * (rng.uniform(0.22, 0.4) * cover + 0.1 * rim) * _inside(
        scene.metal, scene.softness
    )


def _chip(clean: np.ndarray, scene: _Scene, rng: np.random.Generator) -> np.ndarray:
    a = rng.uniform(0, 2 * np.pi)
    if rng.random() < 0.7:
        x, y = OUTER * np.cos(a), OUTER * np.sin(a)
    else:
        x, y = BORE * np.cos(a), BORE * np.sin(a)
    cover = _blob(scene, rng, x, y, rng.uniform(0.02, 0.045), soft=0.06)
    fracture = scene.background * 0.9 + 8 * cover
    return (fracture - clean) * cover * _inside(scene.metal, scene.softness)


def _blob(
    scene: _Scene, rng: np.random.Generator, x: float, y: float, radius: float, soft: float
) -> np.ndarray:
    """An irregular patch around (x, y), 0 to 1; `soft` is the width of its rim in radii."""
    around = np.arctan2(scene.y - y, scene.x - x)
    reach = np.ones_like(around)
    for wave in range(2, 8):
        reach += rng.normal(0, 0.35 / wave) * np.cos(wave * around + rng.uniform(0, 2 * np.pi))
    distance = np.hypot(scene.x - x, scene.y - y) / radius
    return _inside((reach - distance) * radius, max(soft * radius, scene.softness))


def _to_pixels(scene: _Scene, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of part coordinates; the pose is a rotation and a shift."""
    size = scene.x.shape[0]
    step = np.array([[scene.x[0, 1], scene.x[1, 0]], [scene.y[0, 1], scene.y[1, 0]]])
    origin = np.array([scene.x[0, 0], scene.y[0, 0]])
    column, row = np.linalg.solve(step - origin[:, None], np.stack([x, y]) - origin[:, None])
    return np.clip(row, -size, 2 * size), np.clip(column, -size, 2 * size)


def _inside(distance: np.ndarray, softness: float) -> np.ndarray:
    """0 outside, 1 inside, smooth over `softness`."""
    t = np.clip(distance / softness + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def _over(below: np.ndarray, above: np.ndarray, cover: np.ndarray) -> np.ndarray:
    return (below + (above - below) * cover).astype(np.float32)
