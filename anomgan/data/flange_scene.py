"""The good part: pose, geometry, metal, light and shadow of a turned flange on a dark bench."""

from dataclasses import dataclass

import cv2
import numpy as np

OUTER, BORE, HOLE, CIRCLE, HOLES = 0.41, 0.13, 0.036, 0.27, 6
"""Radii of flange, bore, bolt holes and their circle, in image sides; number of holes."""
CHAMFER = 0.012


@dataclass
class Scene:
    """One pose of the part; coordinates are in image sides from the part's centre."""

    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    angle: np.ndarray
    light: float
    softness: float
    metal: np.ndarray
    background: np.ndarray


def pose(rng: np.random.Generator, size: int) -> Scene:
    """Place the part at random: turned by up to 4 degrees, shifted by up to 1.5%."""
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
    return Scene(x, y, radius, angle, light, softness, metal, _background(rng, size))


def render_surface(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """The part before camera noise, grey levels as float32."""
    size = scene.radius.shape[0]
    # Tool marks: noise over radius that changes slowly along the turn.
    marks: np.ndarray = rng.normal(0, 1, (256, 48)).astype(np.float32)
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
    bench = scene.background * gain * shadow
    cover = inside(scene.metal, scene.softness)
    return (bench + (metal - bench) * cover).astype(np.float32)


def to_pixels(scene: Scene, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of part coordinates; the pose is a rotation and a shift."""
    size = scene.x.shape[0]
    step = np.array([[scene.x[0, 1], scene.x[1, 0]], [scene.y[0, 1], scene.y[1, 0]]])
    origin = np.array([scene.x[0, 0], scene.y[0, 0]])
    column, row = np.linalg.solve(step - origin[:, None], np.stack([x, y]) - origin[:, None])
    return np.clip(row, -size, 2 * size), np.clip(column, -size, 2 * size)


def inside(distance: np.ndarray, softness: float) -> np.ndarray:
    """0 where the signed distance is negative, 1 where positive, smooth over `softness`."""
    t = np.clip(distance / softness + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def _background(rng: np.random.Generator, size: int) -> np.ndarray:
    grain = rng.normal(0, 1, (size, size)).astype(np.float32)
    cloth = cv2.GaussianBlur(grain, (0, 0), max(0.6, size / 200))
    return 28 + 6 * cloth / cloth.std()
