"""Synthetic damage: what a clean view might look like with a defect on it, and where.

After the anomaly simulation of DRAEM (Zavrtanik et al., ICCV 2021, section 3.3), on the views
alone: shapes are drawn, one by one, at any place, size and direction; content comes from other
views of the batch, from the view itself or from noise, so that neither a second data set nor a
photograph of a defect is needed. What counts is variety, not likeness to a certain defect. As with
Schlüter et al. (ECCV 2022), what is asked for says how strong the damage is.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

MOST = 5
"""Most objects that are drawn on a view; any number from none on is as likely."""
HALF_SEEN = 1.33
"""Change that is half seen, in grains of the surroundings; of white noise, its deviation."""
HALF_SEEN_ANYWHERE = 0.08
"""Change that is half seen where there is no grain, on the scale [-1, 1]."""
CELL = 8
"""Pixels; side of the cells over which surroundings are averaged."""
Part = Callable[[Tensor], Tensor]
"""Something drawn for each of some views [N, C, size, size]: a shape [N, 1, size, size] in [0, 1],
or content like the views."""


def damage(x: Tensor) -> tuple[Tensor, Tensor]:
    """Damage most views of a batch.

    Args:
        x: clean views [N, C, size, size] in [-1, 1], `size` a multiple of 8.

    Returns:
        The damaged views, likewise, and masks [N, 1, size, size]: how well damage is seen, from 0
        (nothing is damaged) to 1.
    """
    damaged, mask, half = x.clone(), torch.zeros_like(x[:, :1]), half_seen(x)
    counts = torch.randint(MOST + 1, (len(x),), device=x.device)
    # All objects are drawn together: a quarter of the operations, each of which a GPU waits for.
    order = torch.arange(MOST, device=x.device).expand(len(x), MOST)
    view, turn = (order < counts[:, None]).nonzero().unbind(1)
    if not len(view):
        return damaged, mask
    clean = x[view]
    opacity = draw_shapes(clean) * (1 - 0.75 * _uniform(clean).square())
    content = _draw(CONTENTS, clean).clamp(-1, 1)
    for number in range(MOST):
        objects = (turn == number).nonzero().flatten()
        chosen = view[objects]
        before = damaged[chosen]
        after = before + opacity[objects] * (content[objects] - before)
        damaged[chosen] = after
        mask[chosen] = torch.maximum(mask[chosen], how_seen(x[chosen], after, half[chosen]))
    return damaged, mask


def draw_shapes(x: Tensor) -> Tensor:
    """A shape for each of the views [N, C, size, size]: [N, 1, size, size], 1 inside, 0 outside."""
    return _draw(SHAPES, x)


def half_seen(x: Tensor) -> Tensor:
    """The change [N, 1, size, size] of each pixel of views [N, C, size, size] that is half seen.

    It is lost in the grain, by which pixels differ from their neighbours. Larger structure hides
    nothing: on the thread of a screw, a change of half its contrast is plain to see.
    """
    grain = _local_mean((x - F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)).abs())
    return (HALF_SEEN * grain.mean(1, keepdim=True)).clamp_min(HALF_SEEN_ANYWHERE)


def how_seen(x: Tensor, changed: Tensor, half: Tensor) -> Tensor:
    """How well a change of views is seen, [N, 1, size, size] from 0 to 1; 0.5 where it is `half`.

    What is hardly seen is hardly asked for. Good parts bear faint marks of their own, and nothing
    else tells those from damage: what counts is how strong it is.
    """
    change = F.avg_pool2d((changed - x).abs().mean(1, keepdim=True), 3, 1, 1).square()
    return change / (change + half.square())


def _draw(parts: Sequence[Part], x: Tensor) -> Tensor:
    """For each view one of the parts, at random."""
    # Shuffled, for views of which there are several copies are not to lie side by side.
    order = torch.randperm(len(x), device=x.device)
    choice = torch.randint(len(parts), (len(x),), device=x.device)
    rows = [order[choice == number] for number in range(len(parts))]
    drawn = [part(x[some]) for part, some in zip(parts, rows, strict=True) if len(some)]
    return torch.cat(drawn)[torch.cat(rows).argsort()]


def _blob(x: Tensor) -> Tensor:
    """An ellipse with a rough outline, with a sharp or a soft rim: pits, chips, stains."""
    along, across = _axes(x)
    length = _log_uniform(x, 1.5, 0.35 * x.shape[-1])
    width = (length * _log_uniform(x, 0.15, 1)).clamp_min(0.7)
    reach = ((along / length).square() + (across / width).square()).sqrt()
    inside = (1 - reach + _uniform(x, 0, 0.6) * _smooth_noise(x)) * width  # in pixels, roughly
    rim = torch.where(_choose(x, 0.3), width * _uniform(x, 0.3, 1), torch.full_like(width, 0.7))
    return torch.sigmoid(4 * inside / rim.clamp_min(0.5))


def _scratch(x: Tensor) -> Tensor:
    """A line, straight or bent a little."""
    along, across = _axes(x)
    length = _log_uniform(x, 4, max(5, 0.5 * x.shape[-1]))
    width = _log_uniform(x, 0.4, 2.5)
    bend = 0.3 * torch.randn_like(length) / length
    across = across + bend * along.square() + _uniform(x, 0, 3) * _smooth_noise(x)
    return torch.sigmoid(4 * (width - across.abs())) * torch.sigmoid(2 * (length - along.abs()))


def _crack(x: Tensor) -> Tensor:
    """A piece of a level line of noise: it wanders, and may close or branch."""
    noise = _smooth_noise(x)
    corner = noise[..., :-1, :-1]
    slope = (noise[..., 1:, :-1] - corner).square() + (noise[..., :-1, 1:] - corner).square()
    slope = F.pad(slope.sqrt(), (0, 1, 0, 1), mode="replicate").clamp_min(1e-3)
    level = 0.7 * torch.randn_like(_uniform(x))
    line = torch.sigmoid(4 * (_log_uniform(x, 0.4, 2) - (noise - level).abs() / slope))
    along, across = _axes(x)
    radius = _log_uniform(x, 6, max(7, 0.5 * x.shape[-1]))
    return line * torch.sigmoid(radius - (along.square() + across.square()).sqrt())


def _foreign(x: Tensor) -> Tensor:
    """Another view of the batch, shaded."""
    return _shaded(_other(x))


def _pasted(x: Tensor) -> Tensor:
    """The texture of another view of the batch, as bright as the place."""
    other = _other(x)
    return other - _local_mean(other) + _local_mean(x)


def _displaced(x: Tensor) -> Tensor:
    """The view itself, shifted by up to half its size, sometimes turned over."""
    shift = torch.randint(3, x.shape[-1] // 2, (2,)).tolist()
    moved = x.roll(shift, (-2, -1))
    return torch.where(_choose(x, 0.5), moved, moved.transpose(-2, -1))


def _shaded(x: Tensor) -> Tensor:
    """Darker or lighter, flatter or harsher, in a colour of its own."""
    return x * _uniform(x, 0.3, 1.5) + _uniform(x, -0.8, 0.8, x.shape[1])


def _toned(x: Tensor) -> Tensor:
    """Darker, or lighter, and otherwise the same."""
    return x + _uniform(x, 0.15, 1.2) * _mostly_darker(x)


def _smeared(x: Tensor) -> Tensor:
    """The surface without most of its texture."""
    mean = _local_mean(x)
    return mean + (x - mean) * _uniform(x, 0, 0.3)


def _hole(x: Tensor) -> Tensor:
    """Nearly black, or nearly white: holes, cracks and glints."""
    return 0.2 * x + _mostly_darker(x) * _uniform(x, 0.6, 1)


def _grain(x: Tensor) -> Tensor:
    """Grain of any coarseness around any colour."""
    return _smooth_noise(x, 1) * _uniform(x, 0, 0.5) + _uniform(x, -1, 1, x.shape[1])


SHAPES: tuple[Part, ...] = (_blob, _blob, _scratch, _crack)
CONTENTS: tuple[Part, ...] = (
    _foreign,
    _pasted,
    _displaced,
    _shaded,
    _toned,
    _toned,
    _smeared,
    _hole,
    _grain,
)


def _other(x: Tensor) -> Tensor:
    """For each view another one of the batch, mirrored."""
    return x.roll(1, 0).flip(-1)


def _mostly_darker(x: Tensor) -> Tensor:
    """Signs of changes of brightness [N, 1, 1, 1]."""
    return torch.where(_choose(x, 0.7), -1.0, 1.0)


def _axes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels from a random place, along a random direction and across it, [N, 1, H, W] each."""
    height, width = x.shape[-2:]
    rows = torch.arange(height, device=x.device).view(1, 1, -1, 1) - _uniform(x, 0, height)
    columns = torch.arange(width, device=x.device).view(1, 1, 1, -1) - _uniform(x, 0, width)
    turn = _uniform(x, 0, 2 * math.pi)
    cosine, sine = turn.cos(), turn.sin()
    return columns * cosine + rows * sine, rows * cosine - columns * sine


def _smooth_noise(x: Tensor, finest: float = 3) -> Tensor:
    """Noise [N, 1, H, W] of mean 0 and deviation about 1.

    In each view it has a grain of its own along a random direction and across it, from `finest`
    pixels to half the view.
    """
    size = x.shape[-1]
    along, across = (part / _log_uniform(x, finest, max(finest + 1, size / 2)) for part in _axes(x))
    plane = torch.randn(len(x), 1, size, size, device=x.device)
    where = torch.cat([along, across], 1).permute(0, 2, 3, 1) * (2 / size)
    noise = F.grid_sample(
        plane, where, mode="bicubic", padding_mode="reflection", align_corners=False
    )
    return 1.4 * noise  # what interpolation takes away


def _local_mean(x: Tensor) -> Tensor:
    return F.interpolate(F.avg_pool2d(x, CELL), scale_factor=CELL, mode="bilinear")


def _uniform(x: Tensor, low: float = 0, high: float = 1, channels: int = 1) -> Tensor:
    """Random numbers [N, channels, 1, 1] from `low` to `high`."""
    return low + (high - low) * torch.rand(len(x), channels, 1, 1, device=x.device)


def _log_uniform(x: Tensor, low: float, high: float) -> Tensor:
    """Random sizes [N, 1, 1, 1] from `low` to `high`, as many per octave."""
    return _uniform(x, math.log(low), math.log(high)).exp()


def _choose(x: Tensor, share: float) -> Tensor:
    """A random share of the views, as booleans [N, 1, 1, 1]."""
    return _uniform(x) < share
