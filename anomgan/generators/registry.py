"""The generators by name; add a new one here."""

from typing import Literal

from anomgan.generators.base import LatentGAN
from anomgan.generators.cgan import CGAN
from anomgan.generators.cyclegan import CycleGAN
from anomgan.generators.dcgan import DCGAN
from anomgan.generators.gan import GAN
from anomgan.generators.stargan import StarGAN
from anomgan.generators.stargan_v2 import StarGANv2
from anomgan.generators.stylegan import StyleGAN
from anomgan.generators.translator import Translator
from anomgan.generators.wgan import WGAN
from anomgan.generators.wgan_gp import WGANGP

GENERATORS: dict[str, type[LatentGAN]] = {
    method.name: method for method in (GAN, DCGAN, WGAN, WGANGP, StyleGAN)
}
"""Images from latent vectors alone: what a detector can be built on."""
GeneratorName = Literal["gan", "dcgan", "wgan", "wgan_gp", "stylegan"]

TRANSLATORS: dict[str, type[Translator]] = {
    method.name: method for method in (CycleGAN, StarGAN, StarGANv2)
}
"""Images from images."""

MethodName = Literal[
    "gan", "dcgan", "wgan", "wgan_gp", "stylegan", "cgan", "cyclegan", "stargan", "stargan_v2"
]
METHODS: dict[str, type[LatentGAN] | type[CGAN] | type[Translator]] = {
    **GENERATORS,
    CGAN.name: CGAN,
    **TRANSLATORS,
}

ABOUT = {
    "gan": ("images", "new images", "Goodfellow et al. 2014"),
    "dcgan": ("images", "new images", "Radford et al. 2016"),
    "wgan": ("images", "new images", "Arjovsky et al. 2017"),
    "wgan_gp": ("images", "new images", "Gulrajani et al. 2017"),
    "stylegan": ("images", "new images, typical or varied", "Karras et al. 2019"),
    "cgan": ("labelled images", "new images of a class", "Mirza and Osindero 2014"),
    "cyclegan": ("images of 2 domains", "images taken to the other", "Zhu et al. 2017"),
    "stargan": (
        "images of any domains or attributes, of several data sets at once",
        "images taken to any of them",
        "Choi et al. 2018",
    ),
    "stargan_v2": (
        "images of any domains",
        "images taken to any of them, in a style drawn or shown",
        "Choi et al. 2020",
    ),
}
"""What each method learns from, what it gives, and its paper."""
