"""Synthetic damage: what a clean view might look like with a defect on it, and where.

After the anomaly simulation of DRAEM (Zavrtanik et al., ICCV 2021, section 3.3), on the views
alone: shapes come from smooth noise, content from other views of the batch, from the view itself
or from noise, so that neither a second data set nor a photograph of a defect is needed. Everything
is random; what counts is variety, not likeness to a certain defect.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

CLEAN_SHARE = 0.2
"""Share of the views that are left as they are."""
VISIBLE = 0.04
"""Smallest change, on the scale [-1, 1], that counts as damage."""


def damage(x: Tensor) -> tuple[Tensor, Tensor]:
    """Damage most views of a batch.

    Args:
        x: clean views [N, C, size, size] in [-1, 1].

    Returns:
        The damaged views, likewise, and masks [N, 1, size, size], 1 where something is damaged.
    """
    n = len(x)
    shape = torch.where(_choose(x, 0.5), _blobs(x), _lines(x))
    content = torch.stack([_foreign(x), _displaced(x), _shaded(x), _noise(x), _hole(x), _hole(x)])
    content = content[torch.randint(len(content), (n,), device=x.device), torch.arange(n)]
    opacity = 1 - 0.75 * _uniform(x).square()
    opacity = opacity * ~_choose(x, CLEAN_SHARE)
    damaged = x + shape * opacity * (content.clamp(-1, 1) - x)
    changed = (damaged - x).abs().mean(1, keepdim=True)
    # What cannot be seen must not be asked for: the mask would be noise.
    visible = F.avg_pool2d(changed, 3, 1, 1) > VISIBLE
    return damaged, (visible & (shape > 0.2)).float()


def _blobs(x: Tensor) -> Tensor:
    """Noise above a random height: spots, patches and islands, soft or sharp at the rim."""
    noise = _smooth_noise(x)
    cut = 0.8 + 1.7 * _uniform(x)
    sharpness = 3 * 10 ** _uniform(x)
    return torch.sigmoid((noise - cut) * sharpness)


def _lines(x: Tensor) -> Tensor:
    """Level lines of noise, where other noise is high: cracks, scratches, hairs."""
    noise = _smooth_noise(x)
    slope = (noise[..., 1:, :-1] - noise[..., :-1, :-1]).square()
    slope = (slope + (noise[..., :-1, 1:] - noise[..., :-1, :-1]).square()).sqrt()
    slope = F.pad(slope, (0, 1, 0, 1), mode="replicate").clamp_min(1e-3)
    level = torch.randn(len(x), 1, 1, 1, device=x.device)
    width = 0.5 + 2 * _uniform(x).square()
    line = torch.sigmoid(4 * (width - (noise - level).abs() / slope))
    where = torch.sigmoid((_smooth_noise(x) - 0.4) * 10)
    return line * where


def _foreign(x: Tensor) -> Tensor:
    """Another view of the batch, mirrored and shaded."""
    return _shaded(x.roll(1, 0).flip(-1))


def _displaced(x: Tensor) -> Tensor:
    """The view itself, shifted by up to half its size, sometimes turned over."""
    shift = torch.randint(3, x.shape[-1] // 2, (2,)).tolist()
    moved = x.roll(shift, (-2, -1))
    return torch.where(_choose(x, 0.5), moved, moved.transpose(-2, -1))


def _shaded(x: Tensor) -> Tensor:
    """Darker or lighter, flatter or harsher, in a colour of its own."""
    gain = 0.3 + 1.2 * _uniform(x)
    offset = 1.6 * _uniform(x, x.shape[1]) - 0.8
    return x * gain + offset


def _hole(x: Tensor) -> Tensor:
    """Nearly black, or nearly white: holes, cracks and glints."""
    sign = torch.where(_choose(x, 0.7), -1.0, 1.0)
    return 0.2 * x + sign * (0.6 + 0.4 * _uniform(x))


def _noise(x: Tensor) -> Tensor:
    """Grain of any coarseness around any colour."""
    amplitude = 0.5 * _uniform(x)
    return _smooth_noise(x, 1) * amplitude + 2 * _uniform(x, x.shape[1]) - 1


def _smooth_noise(x: Tensor, finest: int = 2) -> Tensor:
    """Noise [N, 1, H, W] of mean 0 and deviation 1, its grain different in each view and axis."""
    size = x.shape[-1]
    cells = [size >> k for k in range(finest, 6) if size >> k >= 2]
    planes = []
    for _ in range(len(x)):
        rows, columns = (cells[int(torch.randint(len(cells), ()))] for _ in range(2))
        plane = torch.randn(1, 1, rows + 2, columns + 2, device=x.device)
        planes.append(F.interpolate(plane, size=(size, size), mode="bicubic"))
    noise = torch.cat(planes)
    noise = torch.where(_choose(x, 0.5), _turn(noise), noise)
    return (noise - noise.mean((1, 2, 3), keepdim=True)) / noise.std((1, 2, 3), keepdim=True)


def _turn(noise: Tensor) -> Tensor:
    """Turned by 45 degrees, so that lines and blobs do not only follow the axes."""
    diagonal = 0.5**0.5
    turn = torch.tensor([[diagonal, -diagonal, 0.0], [diagonal, diagonal, 0.0]])
    grid = F.affine_grid(
        turn.to(noise.device).expand(len(noise), 2, 3), list(noise.shape), align_corners=False
    )
    return F.grid_sample(noise, grid, padding_mode="reflection", align_corners=False)


def _uniform(x: Tensor, channels: int = 1) -> Tensor:
    """Random numbers [N, channels, 1, 1] in [0, 1)."""
    return torch.rand(len(x), channels, 1, 1, device=x.device)


def _choose(x: Tensor, share: float) -> Tensor:
    """A random share of the views, as booleans [N, 1, 1, 1]."""
    return _uniform(x) < share
