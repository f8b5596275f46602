"""Whitened feature maps of images, from one or several backbones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomgan.backbones.extractor import Backbone
from anomgan.backbones.registry import Entry, find
from anomgan.backbones.weights import load_state
from anomgan.backbones.whitening import Moments, Whitening
from anomgan.errors import SettingsError


class FeatureExtractor(nn.Module):
    """Turns images [N, 1 or 3, H, W] in [-1, 1] into whitened features [N, directions, h, w].

    The first backbone sets the grid. Every other backbone gets the image at the size that suits it,
    and its map is resized to the grid. Each backbone is whitened separately into its share of the
    directions, so that each contributes the same total variance, whatever the scale of its values.

    Args:
        names: of the backbones, separated by commas: "lite0" or "lite0,dinov2-s".
        stages: of a single backbone; default: its usual stages.
        stride: of a single backbone; default: its usual stride.
        directions: channels of the whitened map.

    Attributes:
        channels: of the map before whitening.
        stride: pixels per cell.
        multiple: the sides of an image must be multiples of this.
        long_side: pixels; the image size that the first backbone was measured with.

    Raises:
        SettingsError: a backbone is unknown, or the settings do not go together.
    """

    def __init__(
        self, names: str, stages: list[int] | None, stride: int | None, directions: int
    ) -> None:
        super().__init__()
        entries = _find_all(names)
        if len(entries) > 1 and (stages is not None or stride is not None):
            raise SettingsError(
                f"backbone.stages and backbone.stride need a single backbone, not {names}; leave "
                f"them out to use the usual ones of each"
            )
        if directions < len(entries):
            raise SettingsError(f"backbone.directions = {directions}: at least {len(entries)}")
        backbones = [Backbone(entry, stages, stride) for entry in entries]
        self.backbones = nn.ModuleList(backbones)
        self.widths = [backbone.channels for backbone in backbones]
        self.shares = _shares(directions, len(entries))
        pairs = zip(self.widths, self.shares, strict=True)
        self.whitenings = nn.ModuleList(Whitening(width, share) for width, share in pairs)
        self.channels = sum(self.widths)
        self.stride, self.multiple = backbones[0].stride, backbones[0].multiple
        self.long_side = entries[0].long_side

    def load_weights(self, file: Path | None = None) -> list[dict[str, str | None]]:
        """Load the pretrained weights of each backbone.

        Args:
            file: weights of the only backbone, or of the only one that has no package.

        Returns:
            The name of each backbone, and the origin, licence and SHA-256 of its weights.

        Raises:
            InputError: weights are not available, are damaged or do not fit.
            SettingsError: it is not clear which backbone `file` is for.
        """
        owner = None if file is None else self._owner_of_file()
        facts = []
        for backbone in self._backbones:
            entry = backbone.entry
            state, origin, sha256 = load_state(entry, file if entry is owner else None)
            backbone.load(state, origin)
            facts.append(
                {"name": entry.name, "origin": origin, "licence": entry.licence, "sha256": sha256}
            )
        return facts

    def set_whitening(self, moments: Moments) -> None:
        """Fit the whitening to the moments of the normal vectors of `raw`.

        Raises:
            InputError: the vectors do not vary.
        """
        device, start = self.device, 0
        for index, width in enumerate(self.widths):
            part = moments.part(start, start + width)
            self.whitenings[index] = Whitening.fit(part, self.shares[index]).to(device)
            start += width

    def deviations(self) -> Tensor:
        """Return the deviation of each direction before whitening, [directions].

        Deviations are relative: the largest one of each backbone is 1.
        """
        return torch.cat([whitening.deviations() for whitening in self._whitenings])

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._whitenings[0].mean.device

    def raw(self, x: Tensor) -> Tensor:
        """Compute features before whitening, [N, channels, h, w]."""
        first, *others = self._backbones
        maps = [first(x)]
        for other in others:
            own = other(F.interpolate(x, size=self._size_for(other, x), mode="bilinear"))
            maps.append(F.interpolate(own, size=maps[0].shape[-2:], mode="bilinear"))
        return torch.cat(maps, 1)

    def whiten(self, raw: Tensor) -> Tensor:
        """Whiten features [N, channels, h, w] of `raw` to [N, directions, h, w]."""
        parts = raw.split(self.widths, 1)
        return torch.cat([w(part) for w, part in zip(self.whitenings, parts, strict=True)], 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.whiten(self.raw(x))

    # A list of modules has no type of its elements in torch.
    @property
    def _backbones(self) -> Sequence[Backbone]:
        return cast("Sequence[Backbone]", self.backbones)

    @property
    def _whitenings(self) -> Sequence[Whitening]:
        return cast("Sequence[Whitening]", self.whitenings)

    def _size_for(self, other: Backbone, x: Tensor) -> list[Any]:
        """Find the multiple of the patch size that is nearest to the best size for `other`."""
        step = other.multiple * self.long_side
        sides = ((2 * s * other.entry.long_side + step) // (2 * step) for s in x.shape[-2:])
        return [torch.sym_max(side, 1) * other.multiple for side in sides]

    def _owner_of_file(self) -> Entry:
        entries = [backbone.entry for backbone in self._backbones]
        owners = [entry for entry in entries if entry.package is None or len(entries) == 1]
        if len(owners) != 1:
            names = ", ".join(entry.name for entry in entries)
            raise SettingsError(
                f"backbone.weights names one file, which must be for a single backbone that has "
                f"no package; here are {names}"
            )
        return owners[0]


def surround(image: np.ndarray, multiple: int) -> np.ndarray:
    """Pad an image [h, w, C] by reflection, with `multiple` pixels or a few more on each side.

    So the edge of an image looks like its inside to a backbone, and both sides are multiples of
    `multiple`.
    """
    margins = [(multiple, multiple + -side % multiple) for side in image.shape[:2]]
    return np.pad(image, (*margins, (0, 0)), mode="reflect")


def crop(maps: Tensor, shape: tuple[int, ...], stride: int, multiple: int) -> Tensor:
    """Cut maps [N, C, h, w] to the cells that an image of `shape` had before `surround`."""
    first = multiple // stride
    rows, columns = (-(-side // stride) for side in shape[:2])
    return maps[..., first : first + rows, first : first + columns]


def _find_all(names: str) -> list[Entry]:
    parts = [part.strip() for part in names.split(",")]
    if len(set(parts)) < len(parts):
        raise SettingsError(f"backbone.name = {names!r}: names a backbone twice")
    return [find(part) for part in parts]


def _shares(directions: int, count: int) -> list[int]:
    """Divide `directions` into `count` equal shares; the first shares get the rest."""
    return [directions // count + (index < directions % count) for index in range(count)]
