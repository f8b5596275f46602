"""Raw feature maps on disk, so that a stopped fit need not compute them again."""

from pathlib import Path
from typing import Any

from torch import Tensor

from anomgan.backbones import Moments
from anomgan.errors import TrainingError
from anomgan.training.checkpoint import Checkpoint, prefixed, unprefixed


class MapFiles:
    """Raw maps computed so far, saved in one file for every `IMAGES_PER_FILE` images.

    Args:
        folder: where the files are; None saves nothing.
        facts: JSON-able description of images and settings, which a resumed run must share.
        resume: continue with the files in `folder`.

    Attributes:
        maps: raw maps so far, each [C, h, w] in half precision.

    Raises:
        TrainingError: a file is damaged, or of other images or settings.
    """

    def __init__(self, folder: Path | None, facts: dict[str, Any], resume: bool) -> None:
        self.folder = folder
        self.facts = facts
        self.maps: list[Tensor] = []
        self._files = 0
        self._moments: dict[str, Tensor] = {}
        if folder is not None and resume:
            self._read(folder)
        elif folder is not None:  # a later resume must not use the files of an earlier run
            for old in folder.glob("features-*.safetensors"):
                old.unlink()

    def moments(self, channels: int) -> Moments:
        """Return the moments of the vectors of all maps so far."""
        return Moments.from_tensors(self._moments) if self._moments else Moments(channels)

    def append(self, maps: list[Tensor], moments: Moments) -> None:
        """Add the maps of some images, and the moments of all images up to them."""
        self.maps += maps
        if self.folder is None:
            return
        tensors = {f"map/{number:03d}": one for number, one in enumerate(maps)}
        tensors |= prefixed("moments", moments.tensors())
        Checkpoint(len(self.maps), 0.0, self.facts, tensors=tensors).save(self._path(self.folder))
        self._files += 1

    def _read(self, folder: Path) -> None:
        while (path := self._path(folder)).exists():
            state = Checkpoint.load(path)
            if state.facts != self.facts:
                raise TrainingError(
                    f"cannot resume from {path}: it was made with other images or backbone "
                    f"settings; use the same, or fit without --resume to start again"
                )
            maps = unprefixed("map", state.tensors)
            self.maps += [maps[name] for name in sorted(maps)]
            self._moments = unprefixed("moments", state.tensors)
            self._files += 1

    def _path(self, folder: Path) -> Path:
        return folder / f"features-{self._files:05d}.safetensors"
