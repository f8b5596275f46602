"""Runs the graph of an .onnx file: by OpenVINO on a CPU if it is installed, else by onnxruntime."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anomgan.errors import ModelError, SettingsError
from anomgan.machine.device import read_device

CARD = "anomgan.json"
"""Name of the description: a property of the ONNX model, or an extra file in TorchScript."""
VIEWS = "views"
"""Name of the graph's input."""
Graph = Callable[[np.ndarray], list[Tensor]]
"""Turns views uint8 [N, h, w, C] into the maps of `Detector.infer`, in the order of the card."""
SHAPES = 4
"""Shapes of views that OpenVINO compiles the graph for. That takes half a second. Views of other
shapes are scored by one graph for all shapes, which is slower."""


def read_onnx(data: bytes, path: Path, device: str) -> tuple[str, Graph]:
    """Read the contents of an .onnx file.

    Args:
        data: the contents.
        path: of the file, for messages.
        device: "auto", "cpu" or "cuda".

    Returns:
        The description of the model, and its graph.

    Raises:
        ModelError: no engine is installed, or it cannot load the file.
        SettingsError: the device is not available.
    """
    on_cpu = device == "cpu" or (device == "auto" and not torch.cuda.is_available())
    try:
        if on_cpu:
            return by_openvino(data, path)
    except ImportError:
        pass
    return by_onnxruntime(data, path, device)


def by_openvino(data: bytes, path: Path) -> tuple[str, Graph]:
    """Read an .onnx file with OpenVINO, for a CPU; see `read_onnx`."""
    import openvino

    core = openvino.Core()
    try:
        model = core.read_model(data)
        card = str(model.get_rt_info(["framework", CARD]).value)
    except RuntimeError as error:
        raise ModelError(f"OpenVINO {openvino.__version__} cannot load {path}: {error}") from error
    any_shape = model.input().partial_shape
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    compiled: dict[tuple[int, ...] | None, Any] = {}
    lock = Lock()

    def compile_for(shape: tuple[int, ...] | None) -> Any:
        if shape not in compiled:
            model.reshape(any_shape if shape is None else shape)
            compiled[shape] = core.compile_model(model, "CPU", settings)
        return compiled[shape]

    def graph(views: np.ndarray) -> list[Tensor]:
        with lock:  # a compiled graph serves one thread at a time
            known = views.shape in compiled or len(compiled) < SHAPES
            found = compile_for(views.shape if known else None)(views)
            return [torch.from_numpy(one.copy()) for one in found.values()]

    return card, graph


def by_onnxruntime(data: bytes, path: Path, device: str) -> tuple[str, Graph]:
    """Read an .onnx file with onnxruntime; see `read_onnx`."""
    try:
        import onnxruntime
    except ImportError:
        raise ModelError(
            f'{path} needs onnxruntime; install it with: pip install "anomgan[onnx]"'
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads that spin while they wait take cores from torch's threads, which halves the speed.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = _providers(onnxruntime.get_available_providers(), device)
    try:
        session = onnxruntime.InferenceSession(data, options, providers=providers)
    except Exception as error:  # onnxruntime's errors have no base class of their own
        raise ModelError(
            f"onnxruntime {onnxruntime.__version__} cannot load {path}: {error}"
        ) from error

    def graph(views: np.ndarray) -> list[Tensor]:
        return [torch.from_numpy(found) for found in session.run(None, {VIEWS: views})]

    return session.get_modelmeta().custom_metadata_map.get(CARD, ""), graph


def _providers(available: list[str], device: str) -> list[str]:
    """Choose onnxruntime's providers: "auto" means CUDA if it is available, otherwise the CPU."""
    kind = device if device == "auto" else read_device(device).type
    cuda = "CUDAExecutionProvider"
    if kind not in ("auto", "cpu", "cuda") or (kind == "cuda" and cuda not in available):
        raise SettingsError(
            f"device {device} is not available to onnxruntime here; use cpu, or install "
            f"onnxruntime-gpu for cuda"
        )
    return [cuda] * (kind != "cpu" and cuda in available) + ["CPUExecutionProvider"]
