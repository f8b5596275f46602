"""Fully connected networks, as in the first GAN (Goodfellow et al. 2014).

Their hidden layers have 8 and 16 times `features` units.
"""

import math

from torch import Tensor, nn

from anomgan.errors import SettingsError

SMALLEST, LARGEST = 4, 128
"""Allowed side of an image in pixels; larger images need too many weights."""


class MLPGenerator(nn.Module):
    """Latent [N, latent_dim, 1, 1] to image [N, channels, size, size] in [-1, 1].

    Raises:
        SettingsError: `size` is out of range.
    """

    def __init__(self, size: int, channels: int, latent_dim: int, features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(latent_dim, 8 * features),
            nn.ReLU(),
            nn.Linear(8 * features, 16 * features),
            nn.ReLU(),
            nn.Linear(16 * features, _pixels(size, channels)),
            nn.Tanh(),
            nn.Unflatten(1, (channels, size, size)),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class MLPDiscriminator(nn.Module):
    """Image [N, channels, size, size] to (logits [N, 1], features [N, width, 1, 1] of a layer).

    Raises:
        SettingsError: `size` is out of range.
    """

    def __init__(self, size: int, channels: int, features: int) -> None:
        super().__init__()
        widths = _pixels(size, channels), 16 * features, 8 * features
        self.hidden = nn.ModuleList(
            nn.Sequential(nn.Linear(above, below), nn.LeakyReLU(0.2))
            for above, below in zip(widths, widths[1:], strict=False)
        )
        self.head = nn.Linear(widths[-1], 1)

    def forward(self, x: Tensor, layer: int = -1) -> tuple[Tensor, Tensor]:
        x = x.flatten(1)
        maps = []
        for block in self.hidden:
            x = block(x)
            maps.append(x[:, :, None, None])
        return self.head(x), maps[layer]


def _pixels(size: int, channels: int) -> int:
    if not SMALLEST <= size <= LARGEST:
        raise SettingsError(
            f"view.size = {size}: fully connected networks take {SMALLEST} to {LARGEST}"
        )
    return math.prod((channels, size, size))
