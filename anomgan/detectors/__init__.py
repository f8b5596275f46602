"""The detectors, one file per method. Add a new one to `DETECTORS`.

`METHODS` also holds the baselines that the detectors are compared with.
"""

from pathlib import Path

from anomgan.config_values import build_settings, without_idle
from anomgan.detectors.anogan import AnoGAN
from anomgan.detectors.base import Detector
from anomgan.detectors.baselines import BASELINES
from anomgan.detectors.egbad import EGBAD
from anomgan.detectors.exported import Exported, is_exported, read_exported
from anomgan.detectors.f_anogan import FAnoGAN
from anomgan.detectors.ganomaly import GANomaly
from anomgan.detectors.model_folder import StoredModel, read_model
from anomgan.detectors.steadiness import steadiness as steadiness
from anomgan.errors import ModelError, SettingsError
from anomgan.machine.device import choose_device, own_state
from anomgan.model_files import RESTORE

DETECTORS: dict[str, type[Detector]] = {
    "anogan": AnoGAN,
    "egbad": EGBAD,
    "f-anogan": FAnoGAN,
    "ganomaly": GANomaly,
}
METHODS = DETECTORS | BASELINES


def load(model: Path | str, device: str = "auto") -> Detector:
    """Load a fitted detector from its model folder; nothing in the folder is executed.

    Args:
        model: model folder; or a file that `anomgan export` wrote, whose graph replaces the
            networks (see `anomgan.detectors.exported` for what loading one may execute).
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ModelError: the model is incomplete, damaged, or of a newer format, or onnxruntime is
            missing.
        SettingsError: the device is unknown or not available.
    """
    path = Path(model)
    with own_state(choose_device(device)):
        stored, graph = (
            read_exported(path, device) if is_exported(path) else (read_model(path), None)
        )
        method = _method(stored)
        try:
            if graph is None:
                return method.from_model(stored, device)
            values = without_idle(method.settings_type, stored.settings)
            return Exported(build_settings(method.settings_type, values), stored, **graph)
        except (SettingsError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the card of {path} is damaged: {error}; {RESTORE}") from error


def _method(model: StoredModel) -> type[Detector]:
    if model.detector not in METHODS:
        raise ModelError(
            f"{model.folder} holds a {model.detector} model; this version knows "
            f"{', '.join(METHODS)}"
        )
    return METHODS[model.detector]
