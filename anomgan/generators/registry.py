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
