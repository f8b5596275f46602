"""The generators by name; a new one is listed here."""

from typing import Literal

from anomgan.generators.base import LatentGAN
from anomgan.generators.dcgan import DCGAN
from anomgan.generators.gan import GAN
from anomgan.generators.wgan import WGAN
from anomgan.generators.wgan_gp import WGANGP

GENERATORS: dict[str, type[LatentGAN]] = {
    method.name: method for method in (GAN, DCGAN, WGAN, WGANGP)
}
GeneratorName = Literal["gan", "dcgan", "wgan", "wgan_gp"]
