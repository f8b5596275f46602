"""The generator library, one file per method, useful by itself and embedded by the detectors.

>>> from anomgan.generators import load_generator, train_generator
>>> train_generator("photos/", generator="wgan_gp", view={"size": 64}).save("my-generator")
>>> load_generator("my-generator").sample(16).shape
(16, 64, 64, 3)
"""

from anomgan.generators.base import GANSettings, LatentGAN
from anomgan.generators.model import TrainedGenerator, load_generator, train_generator
from anomgan.generators.registry import GENERATORS, GeneratorName

__all__ = [
    "GENERATORS",
    "GANSettings",
    "GeneratorName",
    "LatentGAN",
    "TrainedGenerator",
    "load_generator",
    "train_generator",
]
