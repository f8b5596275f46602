"""A trained generator from latent vectors: samples and interpolations."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anomgan.data.views import to_pixels
from anomgan.errors import SettingsError
from anomgan.generators.cgan import CGAN
from anomgan.generators.trained import TrainedGenerator
from anomgan.pictures import save_grid

GRID = 8
"""Rows and columns of samples.png."""
AT_ONCE = 64
"""Images in one batch."""


class TrainedGAN(TrainedGenerator):
    """A generator of images from latent vectors and, for cGAN, labels."""

    def sample(
        self, count: int, seed: int = 0, *, label: str | None = None, truncation: float = 1.0
    ) -> np.ndarray:
        """Random images, uint8 [count, size, size] or [count, size, size, 3] in RGB.

        Args:
            count: how many.
            seed: of the latent vectors.
            label: of all images, as `encode` takes it; None cycles through the classes.
            truncation: StyleGAN's psi; below 1 the images are more typical and vary less.

        Raises:
            SettingsError: the label is unknown, or the method has no truncation.
        """
        draw = torch.Generator().manual_seed(seed)
        return self._render(self._latent(count, draw), label, truncation)

    def interpolate(
        self, count: int, seed: int = 0, *, label: str | None = None, truncation: float = 1.0
    ) -> np.ndarray:
        """`count` images between two random latent vectors; the arguments are those of `sample`.

        Raises:
            SettingsError: as `sample`.
        """
        first, last = self._latent(2, torch.Generator().manual_seed(seed))
        angle = torch.acos(torch.cosine_similarity(first, last, dim=0))
        way = torch.linspace(0, 1, count)[:, None]
        # Along the sphere, because training never draws latent vectors near the origin.
        z = (torch.sin((1 - way) * angle) * first + torch.sin(way * angle) * last) / angle.sin()
        if label is None and self.names:
            label = self.names[0]
        return self._render(z, label, truncation)

    def draw_samples(self, path: Path, title: str) -> None:
        """Save a grid; with labels, a column for each label and a row for each latent vector."""
        columns = self.names or [""] * GRID
        if self.names:
            rows = list(zip(*(self.sample(GRID, label=name) for name in columns), strict=True))
        else:
            images = list(self.sample(GRID * GRID))
            rows = [images[first : first + GRID] for first in range(0, len(images), GRID)]
        save_grid(path, rows, columns, title=title)

    def _latent(self, count: int, draw: torch.Generator) -> Tensor:
        return torch.randn(count, self.method.settings.latent_dim, generator=draw)

    def _render(self, z: Tensor, label: str | None, truncation: float) -> np.ndarray:
        c, gan = self._labels(len(z), label), self.method
        if isinstance(gan, CGAN) and truncation != 1:
            raise SettingsError("cgan has no truncation; stylegan has")
        parts = []
        with torch.no_grad():
            for first in range(0, len(z), AT_ONCE):
                some = slice(first, first + AT_ONCE)
                latent = z[some].to(self.device)
                if isinstance(gan, CGAN):
                    x = gan.generate(latent, c[some])
                else:
                    x = gan.decode(gan.truncate(gan.embed(latent), truncation))
                parts.append(to_pixels(x))
        pixels = np.concatenate(parts)
        return pixels[..., 0] if pixels.shape[-1] == 1 else pixels

    def _labels(self, count: int, label: str | None) -> Tensor:
        if label is not None:
            return self.encode(label).expand(count, -1)
        if not self.sets:
            return torch.zeros(count, 0)
        if not self.sets[0].exclusive:
            raise SettingsError(f"say which attributes: {', '.join(self.names)}")
        width = len(self.names)
        return torch.eye(width, device=self.device)[torch.arange(count) % width]
