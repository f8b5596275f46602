"""Draws one defect of a known kind, size and contrast on an image of a good part.

Each kind states an opacity in [0, 1] and what changes under it, in two parts: what comes with the
kind, such as a wiped texture, and what is scaled until the contrast is the one that is asked for.
Size and contrast are then measured on what was drawn, because the rim of the part cuts defects off
and black cannot become darker.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from anomgan.data.decode import with_channels
from anomgan.evaluation.limits.part import dilated
from anomgan.evaluation.limits.shapes import (
    FINE,
    LONGEST_LINE,
    Place,
    blob,
    direction,
    jagged,
    noise,
    soft,
    trace,
    wiped,
)

GREY = 255.0
VISIBLE = 0.25
"""Share of the strongest change from which on a pixel belongs to the defect. What comes with the
kind does not count, so that a patch has no gaps where it is as bright as the surface by chance."""
DARK = 0.7
"""Share of the defects that are darker than the part, where both can be seen."""
HOLES = ("crack", "pit")
"""Kinds that are always darker than the part, unless that is nearly black."""
BLACK = 20.0
"""Grey levels of what is nearly black."""
BLURRED = 3
"""Pixels beside the part that are neither the part nor the background. What breaks off takes them
with it; other kinds leave them alone."""
TRIES = 8
"""Windows of which the one that shows most of what is looked for is taken."""
AT_OUTLINE = ("missing",)
"""Kinds that begin at the outline of the part, or at the edge of the image if the part fills it:
nothing breaks off from its middle."""


@dataclass(frozen=True)
class Defect:
    """A defect that was drawn.

    Attributes:
        image: uint8 [H, W, C], with the defect.
        mask: bool [H, W], where it is and the image has changed.
        size: diameter in pixels of the smallest circle around it.
        contrast: root mean square of the change within the mask, as a share of the grey scale.
        centre: row and column of the middle of that circle.
    """

    image: np.ndarray
    mask: np.ndarray
    size: float
    contrast: float
    centre: tuple[float, float]


@dataclass(frozen=True)
class Change:
    """What a kind of defect does to a place.

    Attributes:
        opacity: [h, w] from 0 to 1.
        fixed: added under it whatever the contrast, [h, w, C] or 0.
        scaled: added under it, times a factor that makes the contrast; None if the contrast of the
            kind cannot be chosen.
    """

    opacity: np.ndarray
    fixed: np.ndarray | float
    scaled: np.ndarray | None


def scratch(place: Place) -> Change:
    """A line, from hair-thin to a gouge, straight or bent a little; often with a bright side."""
    rng, half = place.rng, place.size / 2
    width = max(0.5, place.size * np.exp(rng.uniform(*np.log([0.006, 0.06]))))
    bow = place.across + rng.uniform(-0.15, 0.15) * (place.along**2 / half - half / 2)
    strength = 0.75 + 0.25 * np.cos(place.along / half * rng.uniform(1, 6) + rng.uniform(0, 6))
    line = soft((width - np.abs(bow)) * 2) * soft(half - np.abs(place.along))
    side = soft((width - np.abs(bow - 2 * width)) * 2) * soft(half - np.abs(place.along))
    flank = rng.choice([0.0, 0.4])
    tone = place.sign * (line - flank * side) * strength
    return Change(np.ones(place.shape), 0.0, tone[:, :, None])


def crack(place: Place) -> Change:
    """A jagged dark line, often with a branch; its width varies."""
    rng = place.rng
    fine = min(FINE, LONGEST_LINE / max(place.shape))
    canvas = np.zeros((round(place.shape[0] * fine), round(place.shape[1] * fine)), np.uint8)
    ahead = direction(place)
    width = max(0.6, place.size * rng.uniform(0.01, 0.03)) * fine
    points = jagged(rng, place.size)
    trace(canvas, points, ahead, place, fine, width)
    if rng.random() < 0.6 and len(points) > 4:
        start = points[int(rng.integers(1, len(points) - 2))]
        turn = rng.choice([-1, 1]) * rng.uniform(0.5, 1.1)
        branch = jagged(rng, place.size * rng.uniform(0.2, 0.4))
        branch = branch - branch[0]
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        trace(canvas, start + branch @ spin.T, ahead, place, fine, 0.7 * width)
    opacity = cv2.resize(canvas, place.shape[::-1], interpolation=cv2.INTER_AREA) / GREY
    return Change(np.ones(place.shape), 0.0, place.sign * opacity[:, :, None])


def pit(place: Place) -> Change:
    """A round or oval hole with a rough outline, dark where the light does not reach its wall."""
    inside = blob(place, flat=place.rng.uniform(0.4, 1), rough=0.12)
    opacity = soft(inside * 2)
    glint = np.clip(place.light / place.size + 0.5, 0, 1) ** 3 * np.exp(-((inside / 2) ** 2))
    tone = place.sign * (1 - place.rng.uniform(0, 0.9) * glint)
    return Change(opacity, 0.0, tone[:, :, None])


def stain(place: Place) -> Change:
    """A spot with a soft outline that tints the surface and leaves its texture."""
    rng = place.rng
    inside = blob(place, flat=rng.uniform(0.5, 1), rough=0.3)
    opacity = soft(inside / max(0.7, place.size * rng.uniform(0.02, 0.1)))
    edge = rng.choice([0.0, 0.6]) * np.exp(-((inside / max(1.0, 0.06 * place.size)) ** 2))
    lit = place.pixels + 1 if place.sign < 0 else GREY + 1 - place.pixels
    lit = cv2.GaussianBlur(lit, (0, 0), 1).reshape(place.pixels.shape) * 0.5 + lit * 0.5
    tint = rng.uniform(0.4, 1, place.pixels.shape[2])
    return Change(opacity, 0.0, place.sign * lit * tint * (0.6 + edge)[:, :, None])


def smear(place: Place) -> Change:
    """A wiped streak: the texture is lost along a direction, and a film with stripes is left."""
    rng, half = place.rng, place.size / 2
    wide = half * rng.uniform(0.25, 0.5)
    rough = 0.15 * wide * noise(place, max(2.0, place.size / 6))
    opacity = soft((wide - np.abs(place.across + rough)) / max(0.7, wide / 4)) * soft(
        (half - np.abs(place.along)) / max(0.7, half / 6)
    )
    plain = wiped(place.pixels, direction(place), max(3, round(place.size / 4)))
    stripes = noise(place, max(1.0, wide / 5), stretch=8)
    tone = place.sign * (1 + 0.5 * stripes)
    return Change(opacity, 0.8 * (plain - place.pixels), tone[:, :, None])


def dent(place: Place) -> Change:
    """A hollow that reflects light on one side and lies in the shade on the other."""
    flat = place.rng.uniform(0.6, 1)
    reach = np.sqrt(place.along**2 + (place.across / flat) ** 2) / (place.size / 2)
    slope = place.light / (place.size / 2) * np.exp(-3 * reach**2)
    glossy = 0.5 + 0.5 * place.pixels / max(1.0, float(place.pixels.mean()))
    return Change(soft((1 - reach) * place.size / 4), 0.0, slope[:, :, None] * glossy)


def missing(place: Place) -> Change:
    """A piece that is broken off: the background shows, or a rough surface in the shade."""
    rng = place.rng
    inside = blob(place, flat=rng.uniform(0.25, 1), rough=0.35, corners=True)
    if place.background is not None:
        content = place.background
    else:
        floor = cv2.GaussianBlur(place.pixels, (0, 0), max(1.0, place.size / 4))
        grain = 1 + 0.15 * noise(place, max(1.5, place.size / 8))
        content = (floor.reshape(place.pixels.shape) * rng.uniform(0.3, 0.95)) * grain[:, :, None]
    return Change(soft(inside * 2), content - place.pixels, None)


def foreign(place: Place) -> Change:
    """A piece of other material: the texture of another place, in a tone of its own."""
    inside = blob(place, flat=place.rng.uniform(0.4, 1), rough=0.3, corners=True)
    own, other = (one - one.mean(axis=(0, 1)) for one in (place.pixels, place.other))
    tint = place.rng.uniform(0.5, 1, place.pixels.shape[2])
    scaled = np.broadcast_to(place.sign * tint, place.pixels.shape)
    return Change(soft(inside * 2), 0.7 * (other - own), scaled)


KINDS: dict[str, Callable[[Place], Change]] = {
    "scratch": scratch,
    "crack": crack,
    "pit": pit,
    "stain": stain,
    "smear": smear,
    "dent": dent,
    "missing": missing,
    "foreign": foreign,
}
NATURAL = ("missing",)
"""Kinds whose contrast cannot be chosen."""


def draw(
    image: np.ndarray,
    part: np.ndarray,
    kind: str,
    size: float,
    contrast: float,
    rng: np.random.Generator,
    other: tuple[np.ndarray, np.ndarray] | None = None,
) -> Defect | None:
    """Draw a defect at a random place of the part.

    Args:
        image: uint8 [H, W] or [H, W, C].
        part: bool [H, W]; some of it is True. Nothing is drawn elsewhere, but for the blurred edge
            of a piece that is missing.
        kind: one of `KINDS`.
        size: pixels from end to end.
        contrast: root mean square of the change, as a share of the grey scale.
        rng: random numbers.
        other: another image of a good part, uint8, and the part in it, bool, for foreign material;
            None: this one.

    Returns:
        None if nothing can be seen of it, as it may happen at the rim.
    """
    pixels = with_channels(image, image.shape[2] if image.ndim == 3 else 1)
    start = reach = part
    if kind in AT_OUTLINE:
        start, reach = _outline(part), dilated(part, BLURRED)
    rows, columns = np.nonzero(start)
    chosen = int(rng.integers(len(rows)))
    middle = (int(rows[chosen]), int(columns[chosen]))
    window = _window(middle, size, part.shape)
    dark = kind in HOLES or rng.random() < DARK
    tone, step = float(pixels[middle].mean()), GREY * contrast
    if tone < (min(step, BLACK) if kind in HOLES else step):
        dark = False
    elif tone > GREY - step:
        dark = True
    sign = -1.0 if dark else 1.0
    place = _look(pixels, part, window, middle, size, sign, rng, other or (image, part))
    if start is not part:
        place = _along_the_outline(place, part[window])
    change = KINDS[kind](place)
    opacity = (change.opacity * reach[window])[:, :, None]
    before = place.pixels
    extent = _extent(change, opacity)
    after = np.clip(before + _scaled(change, opacity, extent, contrast), 0, GREY).round()
    seen = np.sqrt(np.square(after - before).mean(axis=2))
    inside = extent & (seen >= 1)
    if not inside.any():
        return None
    drawn, mask = pixels.copy(), np.zeros(part.shape, bool)
    drawn[window], mask[window] = after.astype(np.uint8), inside
    return Defect(
        drawn.reshape(image.shape),
        mask,
        *measure(mask, seen[inside]),
    )


def measure(mask: np.ndarray, change: np.ndarray) -> tuple[float, float, tuple[float, float]]:
    """Size, contrast and centre of a defect, as `Defect` has them.

    Args:
        mask: bool [H, W] with some True.
        change: how much its pixels differ from a good part, in grey levels.
    """
    points = np.argwhere(mask)[:, ::-1].astype(np.float32)
    (column, row), radius = cv2.minEnclosingCircle(points)
    contrast = float(np.sqrt(np.square(change).mean())) / GREY
    return 2 * radius + 1, contrast, (row, column)


def _extent(change: Change, opacity: np.ndarray) -> np.ndarray:
    """Where a defect is, bool [h, w], as a person would mark it: what is fixed leaves no gaps."""
    scaled = opacity if change.scaled is None else opacity * change.scaled
    strength = np.sqrt(np.square(scaled).mean(axis=2))
    return np.asarray(strength >= max(1e-6, VISIBLE * float(strength.max())))


def _scaled(change: Change, opacity: np.ndarray, extent: np.ndarray, contrast: float) -> np.ndarray:
    """The change of the pixels, with the contrast that is asked for where that is possible."""
    fixed = np.asarray(opacity * change.fixed, np.float32)
    if change.scaled is None:
        return fixed
    fixed, scaled = np.broadcast_arrays(fixed, opacity * change.scaled)
    if not extent.any():
        return fixed + scaled
    wanted = (GREY * contrast) ** 2
    both = [x[extent].astype(np.float64) for x in (fixed, scaled)]
    # The root mean square of fixed + factor * scaled is the contrast.
    a, b, c = (float(np.mean(x)) for x in (both[1] ** 2, both[0] * both[1], both[0] ** 2))
    root = b * b - a * (c - wanted)
    if root < 0 or c > wanted:  # what is fixed is already stronger
        return fixed * np.sqrt(min(1.0, wanted / max(c, 1e-9)))
    return np.asarray(fixed + (np.sqrt(root) - b) / a * scaled)


def _outline(part: np.ndarray) -> np.ndarray:
    """Where a part meets the background, or the edge of the image if there is none."""
    edge = 0 if part.all() else 1
    near = np.ones((3, 3), np.uint8)
    inner = cv2.erode(part.astype(np.uint8), near, borderType=cv2.BORDER_CONSTANT, borderValue=edge)
    return np.asarray(part & (inner == 0))


def _along_the_outline(place: Place, part: np.ndarray) -> Place:
    """Turn a place so that the part, bool [h, w], lies across: edges chip along their length."""
    along, across = place.along, place.across
    x, y = float(along[part].mean()), float(across[part].mean())
    x, y = np.array([x, y]) / max(float(np.hypot(x, y)), 1e-9)
    return replace(place, along=y * along - x * across, across=x * along + y * across)


def _window(middle: tuple[int, int], size: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    reach = int(np.ceil(0.75 * size)) + 4
    row, column = (
        slice(max(0, at - reach), min(side, at + reach + 1)) for at, side in zip(middle, shape)
    )
    return row, column


def _look(
    pixels: np.ndarray,
    part: np.ndarray,
    window: tuple[slice, slice],
    middle: tuple[int, int],
    size: float,
    sign: float,
    rng: np.random.Generator,
    other: tuple[np.ndarray, np.ndarray],
) -> Place:
    rows, columns = (np.arange(w.start, w.stop) - at for w, at in zip(window, middle))
    y, x = np.meshgrid(rows.astype(np.float32), columns.astype(np.float32), indexing="ij")
    turn = rng.uniform(0, 2 * np.pi)
    view = pixels[window].astype(np.float32)
    theirs = with_channels(other[0], pixels.shape[2])
    background, beside = None, ~dilated(part, BLURRED)
    if beside.any():
        background = _crop(pixels, view.shape[:2], rng, beside)
        if beside[window].any():
            background += _tone(view, beside[window], size) - np.median(background, axis=(0, 1))
    return Place(
        view,
        x * np.cos(turn) + y * np.sin(turn),
        y * np.cos(turn) - x * np.sin(turn),
        (x + y) / np.sqrt(2),
        size,
        _crop(theirs, view.shape[:2], rng, other[1]),
        background,
        sign,
        rng,
    )


def _tone(view: np.ndarray, among: np.ndarray, reach: float) -> np.ndarray:
    """The smooth tone [h, w, C] that pixels of `among` have near each place."""
    weight = among.astype(np.float32)
    total, count = (
        cv2.GaussianBlur(x, (0, 0), max(1.0, reach / 2))
        for x in (view * weight[:, :, None], weight)
    )
    return np.asarray(total.reshape(view.shape) / np.maximum(count, 1e-9)[:, :, None])


def _crop(
    pixels: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator, among: np.ndarray
) -> np.ndarray:
    """A window of an image at random; only pixels of `among`, the others as their mean."""
    height, width = (min(a, b) for a, b in zip(shape, pixels.shape))
    best, share = pixels[:height, :width], -1.0
    for spot in rng.choice(np.flatnonzero(among), TRIES):
        row, column = (
            int(np.clip(at - side // 2, 0, whole - side))
            for at, side, whole in zip(divmod(spot, among.shape[1]), (height, width), among.shape)
        )
        window = slice(row, row + height), slice(column, column + width)
        inside = among[window]
        if inside.mean() > share:
            best, share = pixels[window].astype(np.float32), float(inside.mean())
            best[~inside] = best[inside].mean(axis=0)
    missing_rows, missing_columns = shape[0] - height, shape[1] - width
    best = np.pad(best, ((0, missing_rows), (0, missing_columns), (0, 0)), mode="symmetric")
    return np.asarray(best, np.float32)
