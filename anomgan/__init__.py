"""Find defects in images with GANs that have only ever seen good parts.

>>> from anomgan import GANomaly, load
>>> GANomaly(space="features").fit("ok/").save("anomgan-model")
>>> result = load("anomgan-model").score("part.png")
>>> result.verdict, result.p_value
('ok', 0.62)
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what mypy and editors see; the imports below are late
    from anomgan.detectors import load as load
    from anomgan.detectors.anogan import AnoGAN as AnoGAN
    from anomgan.detectors.egbad import EGBAD as EGBAD
    from anomgan.detectors.f_anogan import FAnoGAN as FAnoGAN
    from anomgan.detectors.ganomaly import GANomaly as GANomaly
    from anomgan.detectors.result import Result as Result
    from anomgan.errors import AnomganError as AnomganError
    from anomgan.inspection.inspector import Inspector as Inspector

__version__ = version("anomgan")

_HOMES = {
    "AnoGAN": "anomgan.detectors.anogan",
    "EGBAD": "anomgan.detectors.egbad",
    "FAnoGAN": "anomgan.detectors.f_anogan",
    "GANomaly": "anomgan.detectors.ganomaly",
    "Result": "anomgan.detectors.result",
    "Inspector": "anomgan.inspection.inspector",
    "load": "anomgan.detectors",
    "AnomganError": "anomgan.errors",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    # Late imports: `anomgan --help` must not wait for torch.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'anomgan' has no attribute '{name}'")
