"""The shapes that defects are made of: outlines, jagged lines, noise, wiped surfaces."""

from dataclasses import dataclass

import cv2
import numpy as np

FINE = 4
"""Points per pixel in which cracks are drawn."""
LONGEST_LINE = 2000
"""Points of the canvas of a crack."""


@dataclass(frozen=True)
class Place:
    """A window of an image in which a defect is drawn.

    Attributes:
        pixels: float32 [h, w, C], the image in the window.
        along: pixels from the middle in a random direction, float32 [h, w].
        across: likewise, at a right angle to it.
        light: likewise, in the direction of the light, which is the same on all images.
        size: of the defect, in pixels.
        other: float32 [h, w, C], a place on the part of another image.
        background: float32 [h, w, C] what is beside the part; None if there is nothing.
        sign: -1 for a dark defect, 1 for a bright one.
        rng: random numbers.
    """

    pixels: np.ndarray
    along: np.ndarray
    across: np.ndarray
    light: np.ndarray
    size: float
    other: np.ndarray
    background: np.ndarray | None
    sign: float
    rng: np.random.Generator

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the window."""
        return self.pixels.shape[0], self.pixels.shape[1]


def direction(place: Place) -> np.ndarray:
    """Unit vector (x, y) in which `along` grows."""
    if min(place.shape) < 2:
        return np.array([1.0, 0.0])
    step = place.along[0, 1] - place.along[0, 0], place.along[1, 0] - place.along[0, 0]
    return np.array(step, float)


def soft(inside: np.ndarray) -> np.ndarray:
    """From 0 outside to 1 inside, over about a unit of `inside` to either side."""
    return np.asarray(1 / (1 + np.exp(-4 * np.clip(inside, -10, 10))))


def noise(place: Place, grain: float, stretch: float = 1) -> np.ndarray:
    """Smooth noise [h, w] of deviation 1; longer along the direction by the factor `stretch`."""
    size = 64
    plane = cv2.GaussianBlur(
        place.rng.standard_normal((size, size)).astype(np.float32),
        (0, 0),
        1,
        borderType=cv2.BORDER_REFLECT,
    )
    x, y = place.along / (grain * stretch), place.across / grain
    start = place.rng.uniform(0, size, 2)
    noise = cv2.remap(
        plane / plane.std(),
        _folded(x + start[0], size).astype(np.float32),
        _folded(y + start[1], size).astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(noise)


def _folded(values: np.ndarray, size: int) -> np.ndarray:
    """Reflect coordinates at both ends of 0 .. size - 1."""
    around = np.mod(values, 2 * (size - 1))
    return np.asarray(np.minimum(around, 2 * (size - 1) - around))


def blob(place: Place, flat: float, rough: float, corners: bool = False) -> np.ndarray:
    """Pixels [h, w] to the inside of a closed outline, negative outside."""
    half = place.size / 2
    angle = np.arctan2(place.across / flat, place.along)
    reach = np.sqrt(place.along**2 + (place.across / flat) ** 2)
    outline = np.ones(place.shape)
    if corners:  # a polygon
        count = int(place.rng.integers(4, 8))
        turn = np.mod(angle + place.rng.uniform(0, 6), 2 * np.pi / count) - np.pi / count
        outline = np.cos(np.pi / count) / np.cos(turn)
    for wave in range(2, 6):
        outline = outline + rough / wave * np.cos(wave * angle + place.rng.uniform(0, 2 * np.pi))
    outline = outline / outline.max()
    return np.asarray((half * outline - reach) * flat)


def jagged(rng: np.random.Generator, length: float) -> np.ndarray:
    """Points [n, 2] of a line from one end to the other that wanders as it goes."""
    count = int(np.clip(length / 4, 3, 40))
    along = np.linspace(-length / 2, length / 2, count)
    walk = np.cumsum(rng.normal(0, length / count * 0.6, count))
    walk = walk - np.linspace(walk[0], walk[-1], count)  # it ends on the axis
    return np.stack([along, walk], axis=1)


def trace(
    canvas: np.ndarray,
    points: np.ndarray,
    ahead: np.ndarray,
    place: Place,
    fine: float,
    width: float,
) -> None:
    """Draw a line through points (along, across), thinner towards its ends."""
    origin = -np.array([place.along[0, 0], place.across[0, 0]])
    x = ahead[0] * (points[:, 0] + origin[0]) - ahead[1] * (points[:, 1] + origin[1])
    y = ahead[1] * (points[:, 0] + origin[0]) + ahead[0] * (points[:, 1] + origin[1])
    pixels = np.rint(np.stack([x, y], axis=1) * fine).astype(np.int32)
    for number in range(len(pixels) - 1):
        middle = 1 - abs(2 * (number + 0.5) / (len(pixels) - 1) - 1)
        thick = max(1, round(width * (0.5 + 0.5 * middle) * place.rng.uniform(0.7, 1.3)))
        first, second = (tuple(map(int, pixel)) for pixel in pixels[number : number + 2])
        cv2.line(canvas, first, second, 255, thick, cv2.LINE_AA)


def wiped(pixels: np.ndarray, ahead: np.ndarray, length: int) -> np.ndarray:
    """Blur along a direction."""
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    reach = (ahead * length).round().astype(int)
    ends = (length - reach).tolist(), (length + reach).tolist()
    cv2.line(kernel, ends[0], ends[1], 1.0, 1)
    wiped = cv2.filter2D(pixels, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
    return np.asarray(wiped).reshape(pixels.shape)
