"""A detector in one file: its networks as a graph, and the rest of the model beside the graph.

The file ends in a checksum of everything before it, and a file whose checksum is wrong is refused.
This detects damage and files that `anomgan export` did not write, but not forgery. An .onnx file
holds no code: an engine computes the operators that it lists. A .pt file is a program in
TorchScript. It holds no Python code, and loading does not run it, but its operators could do more
than compute. Use .pt files only from people whose programs you would run.
"""

import hashlib
import io
import json
import warnings
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from anomgan.config import Settings
from anomgan.data.roi import Roi
from anomgan.data.views import Maps, to_pixels
from anomgan.detectors.base import Detector
from anomgan.detectors.engines import CARD, Graph, read_onnx
from anomgan.detectors.feature_space import Grid
from anomgan.detectors.fitted import Fitted
from anomgan.detectors.model_folder import ROI, StoredModel, roi_tensors, statistics_tensors
from anomgan.errors import ModelError
from anomgan.machine.device import choose_device
from anomgan.model_files import CHECKSUM, LARGEST_WEIGHTS, parse_card, read_file
from anomgan.training.checkpoint import prefixed

FORMATS = {"onnx": ".onnx", "torchscript": ".pt"}
"""The file suffix of each format."""
SEAL = 64
"""Length of the checksum: hexadecimal digits of SHA-256."""


class Exported(Detector):
    """A detector whose networks are a graph; it can only score.

    Engines do not give their graphs away, so a pickle holds the path of the file, not its content.

    Args:
        settings: of the exported detector.
        model: the contents of the file besides the graph.
        maps: names of the graph's outputs.
        stride: the sides of an input must be multiples of this; None: they must be a view's size.
        grid: stride and multiple of `Grid`; None in pixel space.
        graph: the networks.
        device: for a pickled copy, which reads the file again.
    """

    def __init__(
        self,
        settings: Settings,
        model: StoredModel,
        maps: list[str],
        stride: int | None,
        grid: dict[str, int] | None,
        graph: Graph,
        device: str,
    ) -> None:
        self.settings = settings
        self._given = {}  # it cannot be constructed from arguments
        self.device = torch.device("cpu")  # the graph moves views from here to its own device
        self.networks = nn.ModuleDict()
        self.fitted, self.roi = model.fitted, model.roi
        self._stride = stride
        self._grid = Grid(**grid) if grid else None
        self._file = model.folder
        self._maps = maps
        self._graph = graph
        self._place = device

    @property
    def stride(self) -> int | None:
        return self._stride

    @property
    def grid(self) -> Grid | None:
        return self._grid

    def see(self, x: Tensor) -> Maps:
        return dict(zip(self._maps, self._graph(to_pixels(x)), strict=True))

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise ModelError(
            f"{self._file} only scores; fit or recalibrate its model folder, and export that again"
        )

    build = phases = infer = fit = recalibrate = save = set_params = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        from anomgan.detectors import load  # late: it knows this class

        return load, (self._file.absolute(), self._place)

    def __repr__(self) -> str:
        return f"Exported({str(self._file)!r})"


def is_exported(model: Path) -> bool:
    """Whether this is the name of an exported file, not of a model folder."""
    return model.suffix in FORMATS.values() and not model.is_dir()


def describe(
    card: Mapping[str, Any],
    fitted: Fitted,
    maps: list[str],
    stride: int | None,
    grid: Grid | None,
    roi: Roi | None,
) -> str:
    """Write the JSON text beside a graph: the contents of a model folder without the networks.

    Thresholds are added for programs that read the file without anomgan. `card` is that of the
    model folder, and `maps` are the names of the graph's outputs; the rest are of the detector.
    """
    statistics = to_bytes(statistics_tensors(fitted) | roi_tensors(roi))
    return json.dumps(
        {
            **{name: value for name, value in card.items() if name != CHECKSUM},
            "graph": {"maps": maps, "stride": stride, "grid": grid and asdict(grid)},
            "threshold": fitted.calibration.threshold,
            "heat_threshold": fitted.calibration.heat_threshold,
            "statistics": b64encode(statistics).decode(),
        }
    )


def seal(data: bytes) -> bytes:
    """Replace the last `SEAL` bytes of a file with the checksum of the rest."""
    return data[:-SEAL] + _checksum(data)


def is_sealed(data: bytes) -> bool:
    """Whether a file ends in the checksum of the rest, as those from `anomgan export` do."""
    return data[-SEAL:] == _checksum(data)


def read_exported(path: Path, device: str = "auto") -> tuple[StoredModel, dict[str, Any]]:
    """Read and check an exported file.

    Returns:
        The model without its networks, and the arguments of `Exported` about the graph: "maps",
        "stride", "grid", "graph", "device".

    Raises:
        ModelError: the file is missing, damaged, of a newer format, or not from `anomgan export`;
            or neither OpenVINO nor onnxruntime is installed.
        SettingsError: the device is not available.
    """
    if not path.exists():
        raise ModelError(f"there is no file {path}; make one with: anomgan export")
    data = read_file(path, LARGEST_WEIGHTS)
    if not is_sealed(data):
        raise ModelError(
            f"{path} is damaged, or was not written by anomgan export; export the model again"
        )
    read = read_onnx if path.suffix == FORMATS["onnx"] else _read_torchscript
    text, graph = read(data, path, device)
    card = parse_card(text, path)
    try:
        statistics = load_tensors(b64decode(card["statistics"]))
        roi = {ROI: statistics.pop(ROI)} if ROI in statistics else {}
        tensors = prefixed("statistics", statistics) | roi
        about = {name: card["graph"][name] for name in ("maps", "stride")}
        about |= {"grid": card["graph"].get("grid"), "graph": graph, "device": device}
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise ModelError(f"{path} is damaged: {error}") from error
    return StoredModel.from_card(card, tensors, path), about


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(data[:-SEAL]).hexdigest().encode()


def _read_torchscript(data: bytes, path: Path, device: str) -> tuple[str, Graph]:
    place = choose_device(device)
    extra = {CARD: ""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch deprecates TorchScript
            module = torch.jit.load(io.BytesIO(data), place, extra)
    except RuntimeError as error:
        raise ModelError(f"torch {torch.__version__} cannot load {path}: {error}") from error

    def graph(views: np.ndarray) -> list[Tensor]:
        return list(module(torch.from_numpy(views).to(place)))

    return extra[CARD], graph
