"""The detectors, one file per method. A new one is listed in `DETECTORS`.

`METHODS` are those and the baselines that they are measured against.
"""

from pathlib import Path

from anomgan.detectors.anogan import AnoGAN
from anomgan.detectors.base import Detector
from anomgan.detectors.baselines import BASELINES
from anomgan.detectors.egbad import EGBAD
from anomgan.detectors.f_anogan import FAnoGAN
from anomgan.detectors.ganomaly import GANomaly
from anomgan.detectors.model_folder import read_model
from anomgan.detectors.restoration import Restoration
from anomgan.errors import ModelError

DETECTORS: dict[str, type[Detector]] = {
    "anogan": AnoGAN,
    "egbad": EGBAD,
    "f-anogan": FAnoGAN,
    "ganomaly": GANomaly,
    "restoration": Restoration,
}
METHODS = DETECTORS | BASELINES


def load(folder: Path | str, device: str = "auto") -> Detector:
    """Load a fitted detector from its model folder; nothing in the folder is executed.

    Raises:
        ModelError: the folder is incomplete, damaged, or of a newer format.
    """
    model = read_model(Path(folder))
    if model.detector not in METHODS:
        raise ModelError(
            f"{folder} holds a {model.detector} model; this version knows "
            f"{', '.join(METHODS)}"
        )
    return METHODS[model.detector].from_model(model, device)
