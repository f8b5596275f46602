"""The generators, one file per method. Detectors are built on them; they can be used alone, too.

>>> from anomgan.generators import load_generator, train_generator
>>> train_generator("photos/", generator="wgan_gp", view={"size": 64}).save("my-generator")
>>> load_generator("my-generator").sample(16).shape
(16, 64, 64, 3)
"""

from anomgan.generators.base import LatentGAN, LatentSettings
from anomgan.generators.loading import load_gan, load_generator, load_translator
from anomgan.generators.registry import GENERATORS, METHODS, GeneratorName
from anomgan.generators.train import train_generator
from anomgan.generators.trained_gan import TrainedGAN
from anomgan.generators.trained_translator import TrainedTranslator

__all__ = [
    "GENERATORS",
    "METHODS",
    "GeneratorName",
    "LatentGAN",
    "LatentSettings",
    "TrainedGAN",
    "TrainedTranslator",
    "load_gan",
    "load_generator",
    "load_translator",
    "train_generator",
]
