"""A trained generator from latent vectors: samples and interpolations."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anomgan.data.views import to_pixels
from anomgan.errors import SettingsError
from anomgan.generators.base import LatentGAN, draw_normal, on_the_sphere
from anomgan.generators.cgan import CGAN
from anomgan.generators.stylegan import StyleGAN
from anomgan.generators.trained import TrainedGenerator
from anomgan.machine.device import inference
from anomgan.pictures import save_samples

GRID = 8
"""Rows and columns of samples.png."""
AT_ONCE = 64
"""Images in one batch."""


class TrainedGAN(TrainedGenerator):
    """A generator of images from latent vectors and, for cGAN, labels."""

    method: LatentGAN | CGAN

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
        return self._render(self._codes(count, seed), label, truncation)

    def interpolate(
        self, count: int, seed: int = 0, *, label: str | None = None, truncation: float = 1.0
    ) -> np.ndarray:
        """`count` images between two random latent vectors; the arguments are those of `sample`.

        The way leads along the sphere in the latent space; for StyleGAN it is a line between two
        styles.

        Raises:
            SettingsError: as `sample`.
        """
        first, last = self._latent(2, seed)
        between = on_the_sphere if isinstance(self.method, CGAN) else self.method.between
        with inference(self.device):
            codes = between(first, last, count)
        if label is None and self.names:
            label = self.names[0]
        return self._render(codes, label, truncation)

    def mix(
        self, part: str, count: int, seed: int = 0, *, truncation: float = 1.0
    ) -> list[list[np.ndarray]]:
        """Mix the styles of random images (StyleGAN, figure 3).

        Args:
            part: the layers that have the style of the column: "coarse" (pose and shape), "middle"
                or "fine" (colour and texture); the others have that of the row.
            count: rows and columns.
            seed: of the latent vectors.
            truncation: as `sample`.

        Returns:
            1 + count rows of 1 + count images: first the sources of the columns, after an empty
            image; in each further row its source, then the mixtures.

        Raises:
            SettingsError: the method has no styles, or there is no such part.
        """
        gan = self.method
        if not isinstance(gan, StyleGAN):
            raise SettingsError(f"{gan.name} has no styles to mix; stylegan has")
        rows, columns = self._codes(2 * count, seed).chunk(2)
        codes = gan.combine(rows.repeat_interleave(count, 0), columns.repeat(count, 1), part)
        above, beside = (self._render(source, None, truncation) for source in (columns, rows))
        mixed = self._render(codes, None, truncation)
        lines = [[np.full_like(above[0], 255), *above]]
        for row, source in enumerate(beside):
            lines.append([source, *mixed[row * count : (row + 1) * count]])
        return lines

    def draw_samples(self, path: Path, title: str) -> None:
        """Save a grid; with labels, a column for each label and a row for each latent vector."""
        if self.names:
            columns = [self.sample(GRID, label=name) for name in self.names]
            rows = [list(row) for row in zip(*columns, strict=True)]
        else:
            images = list(self.sample(GRID * GRID))
            rows = [images[first : first + GRID] for first in range(0, len(images), GRID)]
        save_samples(path, rows, self.names, title)

    def _latent(self, count: int, seed: int) -> Tensor:
        return draw_normal(count, self.method.settings.latent_dim, seed=seed).to(self.device)

    def _codes(self, count: int, seed: int) -> Tensor:
        z = self._latent(count, seed)
        if isinstance(self.method, CGAN):
            return z
        with inference(self.device):
            return torch.cat([self.method.embed(some) for some in z.split(AT_ONCE)])

    def _render(self, codes: Tensor, label: str | None, truncation: float) -> np.ndarray:
        c, gan = self._labels(len(codes), label), self.method
        if isinstance(gan, CGAN) and truncation != 1:
            raise SettingsError("cgan has no truncation; stylegan has")
        parts = []
        with inference(self.device):
            for some, labels in zip(codes.split(AT_ONCE), c.split(AT_ONCE), strict=True):
                if isinstance(gan, CGAN):
                    x = gan.generate(some, labels)
                else:
                    x = gan.decode(some if truncation == 1 else gan.truncate(some, truncation))
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
        every = torch.cat([self.encode(name) for name in self.names])
        return every.repeat(-(-count // len(every)), 1)[:count]
