"""A model that a station serves: loaded, and loaded anew when its folder is replaced."""

from dataclasses import dataclass
from pathlib import Path

import torch

from anomgan.detectors import load
from anomgan.detectors.base import Detector
from anomgan.detectors.calibration import Calibration
from anomgan.errors import AnomganError
from anomgan.inspection.inspector import Inspector
from anomgan.inspection.results_table import Row
from anomgan.inspection.scorer import load_to_score
from anomgan.machine.files import state_of
from anomgan.model_files import CARD, WEIGHTS
from anomgan.station.parts import Parts

Version = list[tuple[int, ...] | None]
"""What tells the files of a model from those that took their place; None for a missing file."""


@dataclass(frozen=True)
class Loaded:
    """A model in memory.

    Attributes:
        inspector: scores images, and follows their scores.
        calibration: of the model.
        bits: significant bits of 16-bit images.
        outlines: of the region of interest, as `Roi.outlines` gives them; none without one.
        names: of the model, as each row of results has them.
    """

    inspector: Inspector
    calibration: Calibration
    bits: int
    outlines: list[list[tuple[float, float]]]
    names: Row


class ServedModel:
    """A model under the name that requests call it by.

    Args:
        name: in the addresses of the service.
        path: model folder, or an exported file.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ModelError: the model cannot be loaded.
        SettingsError: the device is not available.
    """

    def __init__(self, name: str, path: Path, device: str) -> None:
        self.name, self.path, self.device = name, path, device
        self.parts = Parts()
        # As many as `anomgan score` uses, for scores that are the same to the last digit.
        self._threads = torch.get_num_threads()
        self.problem: str | None = None
        self._seen = self._version()
        self._waiting: Version | None = None
        self.loaded = self._load()

    def refresh(self) -> None:
        """Load the model anew if its files were replaced; the old one serves until then.

        Called again and again, from one thread. A change counts when it is the same at two calls.
        If the new model cannot be loaded, the old one stays and `problem` says why.
        """
        version = self._version()
        if None in version or version == self._seen:
            return
        if version == self._waiting:
            self.reload()
        self._waiting = version

    def reload(self) -> None:
        """Load the model anew; on failure the old one stays and `problem` says why."""
        self._seen = self._version()
        try:
            self.loaded = self._load()
        except AnomganError as error:
            self.problem = f"{error}; the model that was loaded before still serves"
        else:
            self.problem = None

    def read(self) -> Detector:
        """Read the model from its files, apart from the one that serves."""
        return load(self.path, self.device)

    def _load(self) -> Loaded:
        detector, names = load_to_score(self.path, self.device)
        inspector = Inspector(detector, self._threads)
        outlines = detector.roi.outlines if detector.roi else []
        return Loaded(inspector, detector.fitted.calibration, detector.bits, outlines, names)

    def _version(self) -> Version:
        names = (CARD, WEIGHTS) if self.path.is_dir() else ("",)
        return [state_of(self.path / name) for name in names]
