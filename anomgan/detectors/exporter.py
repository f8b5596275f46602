"""Exports a model folder to one file, and compares the scores of both on images."""

import io
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from anomgan.data.normals import Source, sources_of
from anomgan.data.own_files import refuse_to_overwrite
from anomgan.data.views import scaled
from anomgan.detectors import load
from anomgan.detectors.base import Detector
from anomgan.detectors.engines import CARD, VIEWS
from anomgan.detectors.exported import FORMATS, SEAL, describe, is_sealed, seal
from anomgan.detectors.fitted import Fitted
from anomgan.errors import InputError, ModelError
from anomgan.machine.device import own_state
from anomgan.machine.files import atomic_path
from anomgan.model_files import read_folder
from anomgan.networks.folding import fold_batch_norms

Format = Literal["onnx", "torchscript"]
OPSET = 18
"""Version of the ONNX operators; torch (from 2.6) writes this version without a conversion."""
TOLERANCE = 1e-3
"""Largest difference allowed between scores, and between heatmaps, as a share of the largest."""


@dataclass(frozen=True)
class Agreement:
    """How closely an exported file and its model agree.

    Attributes:
        images: number of images that both have scored.
        score: largest difference of two scores, as a share of the largest score.
        heat: largest difference of two heatmaps, as a share of the largest value in one.
        verdicts: number of images with the same verdict.
    """

    images: int
    score: float
    heat: float
    verdicts: int

    @property
    def differences(self) -> str:
        """Both differences as text."""
        return f"scores within {self.score:.1e} and heatmaps within {self.heat:.1e}"


def export_model(
    model: Path,
    out: Path,
    format: Format = "onnx",
    images: Path | Sequence[Source] | None = None,
) -> Agreement:
    """Export a model folder to one file, and compare the two.

    The file holds a graph of the networks. Its input is one batch of views, "views" uint8
    [N, h, w, C] (grey or RGB). Its outputs are the maps of `Detector.infer`: "reconstruction"
    [N, C, h, w] in [-1, 1], and the method's own [N, 1, h, w] or [N, 1, 1, 1]. N may be any number;
    h and w are those of a view, or any multiples of `Detector.stride` if that is not None. The rest
    of the model lies beside the graph as JSON: see `anomgan.detectors.exported.describe`.

    Args:
        model: model folder.
        out: file to write or replace; ends in .onnx or .pt.
        format: "onnx" or "torchscript".
        images: folder, paths or arrays on which both must agree within `TOLERANCE`; None for
            images of noise.

    Raises:
        ModelError: the model cannot be loaded or exported, a package is missing, or the exported
            file does not agree with the model. Then no file is written.
        InputError: the images cannot be used, or `out` cannot be written or is no exported model.
    """
    if out.suffix != FORMATS[format]:
        raise InputError(f"{out}: the name of a file of format {format} ends in {FORMATS[format]}")
    if out.is_dir():
        raise InputError(f"{out} is a folder; choose another name")
    refuse_to_overwrite(out, is_own=lambda path: is_sealed(path.read_bytes()))
    detector = load(model, "cpu")
    card, _ = read_folder(model, "anomgan fit")
    if detector.searches:
        raise ModelError(
            f"{model} holds {card['detector']}, which searches with gradients for each image, and "
            f"no graph can; export f-anogan, which does not search, or use the folder as it is"
        )
    shown = _noise(detector.fitted) if images is None else sources_of(images)
    with own_state(detector.device), atomic_path(out) as temporary:
        graph = _Graph(load(model, "cpu"))
        stride, grid, roi = graph.stride, detector.grid, detector.roi
        text = describe(card, detector.fitted, graph.maps, stride, grid, roi)
        written = _onnx(graph, text) if format == "onnx" else _torchscript(graph, text)
        temporary.write_bytes(seal(written))
        found = compare(detector, load(temporary, "cpu"), shown)
        if not (found.score <= TOLERANCE and found.heat <= TOLERANCE):  # so that NaN fails, too
            raise ModelError(
                f"{out} is not written: it has {found.differences} of those of {model}, as a share "
                f"of the largest one, and {TOLERANCE:g} is allowed; try the other format"
            )
    return found


def compare(detector: Detector, exported: Detector, images: Sequence[Source]) -> Agreement:
    """Score images with both detectors and compare the results.

    Raises:
        InputError: an image cannot be read or is too small.
    """
    pairs = zip(detector.score_each(images), exported.score_each(images), strict=True)
    rows = [
        (
            abs(one.score - other.score),
            abs(one.score),
            np.abs(one.heat - other.heat).max(),
            np.abs(one.heat).max(),
            one.verdict == other.verdict,
        )
        for one, other in pairs
    ]
    score, largest_score, heat, largest_heat, _ = np.max(rows, axis=0).tolist()
    return Agreement(
        len(rows),
        score / (largest_score or 1),
        heat / (largest_heat or 1),
        int(sum(row[-1] for row in rows)),
    )


class _Graph(nn.Module):
    """The networks of a detector as one module, with batch norms folded."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        fold_batch_norms(detector.networks)
        self.networks = detector.networks.requires_grad_(False)
        self.space = detector.feature_space
        self.see = detector.see
        self.stride = detector.grid.multiple if detector.grid else detector.stride
        size, channels = detector.settings.view.size, detector.fitted.preparation.channels
        # Two different sides, so that rows and columns cannot be confused.
        sides = (2 * self.stride, 3 * self.stride) if self.stride else (size, size)
        self.example = torch.zeros(4, *sides, channels, dtype=torch.uint8)
        self.maps = list(self._infer(self.example))
        self.eval()

    def _infer(self, views: Tensor) -> dict[str, Tensor]:
        return self.see(scaled(views.permute(0, 3, 1, 2)))

    def forward(self, views: Tensor) -> tuple[Tensor, ...]:
        return tuple(self._infer(views).values())


def _onnx(graph: _Graph, text: str) -> bytes:
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if not find_spec(name)]
    if missing:
        raise ModelError(
            f"an export to ONNX needs {', '.join(missing)}; install what is missing with: "
            f'pip install "anomgan[onnx]"'
        )
    import onnx

    sides: dict[int, torch.export.Dim] = {0: torch.export.Dim("number")}
    if graph.stride:
        sides[1] = graph.stride * torch.export.Dim("rows")
        sides[2] = graph.stride * torch.export.Dim("columns")
    # The exporter based on torch.export; torch is removing the older one, based on TorchScript.
    program = torch.onnx.export(
        graph,
        (graph.example,),
        dynamo=True,
        dynamic_shapes=(sides,),
        input_names=[VIEWS],
        output_names=graph.maps,
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]  # paths of source files on this machine
    onnx.helper.set_model_props(model, {CARD: text})
    # Two concatenated protobuf messages are one message, so the checksum can come last.
    last = onnx.StringStringEntryProto(key="sha256", value="0" * SEAL)
    return model.SerializeToString() + onnx.ModelProto(metadata_props=[last]).SerializeToString()


def _torchscript(graph: _Graph, text: str) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch deprecates TorchScript
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # the comparison finds errors
        program = torch.jit.freeze(torch.jit.trace(graph, graph.example, check_trace=False))
        torch.jit.save(program, file, {CARD: text})
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b"0" * SEAL
    return file.getvalue()


def _noise(fitted: Fitted) -> list[np.ndarray]:
    """Make images of noise: some of the size of the normal images, and one that is larger."""
    height, width = fitted.image_size
    shape = (height, width) if fitted.preparation.channels == 1 else (height, width, 3)
    rng = np.random.default_rng(0)
    sizes = [shape, shape, shape, (height + height // 2, 2 * width, *shape[2:])]
    return [rng.integers(0, 256, size, dtype=np.uint8) for size in sizes]
