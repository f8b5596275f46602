"""CycleGAN: two translators between unpaired domains, each trained to undo the other.

Zhu, Park, Isola and Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks", ICCV 2017.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from anomgan.config import TrainingSettings
from anomgan.data.labels import LabelSet
from anomgan.errors import SettingsError
from anomgan.generators.translator import Translator, TranslatorSettings
from anomgan.losses import discriminator_least_squares, generator_least_squares
from anomgan.networks.cyclegan import TranslatorNet
from anomgan.networks.patchgan import PatchGAN
from anomgan.training.recipe import Adam, Update


class CycleGANSettings(TranslatorSettings):
    """Settings of CycleGAN."""

    blocks: int = Field(6, ge=1, le=32, description="residual blocks of a translator")
    patch_layers: int = Field(
        3, ge=1, le=6, description="halvings in a discriminator; 3 give patches of 70 pixels"
    )
    spectral_norm: bool = Field(
        False,
        description="spectral norm in the discriminators instead of the paper's instance norm, "
        "which removes the brightness of an image",
    )
    cycle: float = Field(10.0, ge=0, description="weight of the cycle-consistency loss")
    identity: float = Field(
        0.5,
        ge=0,
        description="weight of the identity loss, as a multiple of `cycle`: images of the target "
        "domain should stay as they are",
    )
    pool: int = Field(
        50, ge=1, le=1000, description="size of the buffer of past fakes for the discriminators"
    )


class CycleGAN(Translator):
    """Recipe of CycleGAN; a batch holds as many images of domain A as of B."""

    name = "cyclegan"
    settings_type = CycleGANSettings
    training = TrainingSettings(steps=4000, batch_size=2, decay_from=0.5, ema=0.99)
    players = {
        "generator": ("a_to_b", "b_to_a"),
        "discriminator": ("discriminator_a", "discriminator_b"),
    }
    optimiser = Adam(2e-4, 0.5, 0.999)
    settings: CycleGANSettings
    memory: nn.ModuleDict

    def __init__(
        self, size: int, channels: int, settings: CycleGANSettings, sets: tuple[LabelSet, ...]
    ) -> None:
        super().__init__(size, channels, settings, sets)
        if len(self.domains()) != 2:
            raise SettingsError(
                f"cyclegan translates between 2 domains, not {len(self.domains())}; for more, "
                f"stargan or stargan_v2"
            )
        shape = settings.pool, channels, size, size
        self.memory = nn.ModuleDict({"fakes_a": Pool(*shape), "fakes_b": Pool(*shape)})

    def build(self, size: int, channels: int) -> dict[str, nn.Module]:
        """Two translators and two PatchGAN discriminators."""
        settings = self.settings
        if size % self.stride:
            raise SettingsError(f"view.size = {size}: must be a multiple of {self.stride}")
        if size < 2 ** (settings.patch_layers + 2):
            raise SettingsError(
                f"network.patch_layers = {settings.patch_layers} halves views of {size} pixels too "
                f"often; use fewer, or a larger view.size"
            )
        networks: dict[str, nn.Module] = {}
        for name in ("a_to_b", "b_to_a"):
            networks[name] = TranslatorNet(
                channels, channels, settings.features, settings.blocks, change=settings.change
            )
        for name in ("discriminator_a", "discriminator_b"):
            networks[name] = PatchGAN(
                channels, settings.features, settings.patch_layers, settings.spectral_norm
            )
        return networks

    def step(self, x: Tensor, c: Tensor) -> Iterator[Update]:
        """Yield the update of both translators (equation 3), then of both discriminators."""
        net, weights = self.networks, self.settings
        a, b = x[c[:, 0] == 1], x[c[:, 1] == 1]
        fake_b, fake_a = net["a_to_b"](a), net["b_to_a"](b)
        adversarial = generator_least_squares(net["discriminator_b"](fake_b))
        adversarial = adversarial + generator_least_squares(net["discriminator_a"](fake_a))
        cycle = F.l1_loss(net["b_to_a"](fake_b), a) + F.l1_loss(net["a_to_b"](fake_a), b)  # eq. 2
        loss = adversarial + weights.cycle * cycle
        terms = {"generator": adversarial, "cycle": cycle}
        if weights.identity:
            identity = F.l1_loss(net["a_to_b"](b), b) + F.l1_loss(net["b_to_a"](a), a)
            loss = loss + weights.cycle * weights.identity * identity  # section 5.2
            terms["identity"] = identity
        yield Update("generator", loss, terms)

        past_a = self.memory["fakes_a"](fake_a.detach())
        past_b = self.memory["fakes_b"](fake_b.detach())
        loss_a = discriminator_least_squares(
            net["discriminator_a"](a), net["discriminator_a"](past_a)
        )
        loss_b = discriminator_least_squares(
            net["discriminator_b"](b), net["discriminator_b"](past_b)
        )
        loss = loss_a + loss_b
        yield Update("discriminator", loss, {"discriminator": loss / 2})

    def translate(self, x: Tensor, style: Tensor) -> Tensor:
        """Images x [N, C, H, W] translated to domain A where style [N, 2] is (1, 0), else to B."""
        result = torch.empty_like(x)
        for column, name in enumerate(("b_to_a", "a_to_b")):
            chosen = style[:, column] == 1
            if chosen.any():
                result[chosen] = self.networks[name](x[chosen])
        return result


class Pool(nn.Module):
    """Buffer of past fakes; half of the images it returns are old, against oscillation (section 4).

    After Shrivastava et al. 2017. The images are kept as buffers, so that a resumed run has them.
    """

    images: Tensor
    filled: Tensor

    def __init__(self, capacity: int, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(capacity, channels, height, width))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    def forward(self, fakes: Tensor) -> Tensor:
        """As many images as `fakes` [N, C, H, W]: each is new, or an old one it replaces."""
        given = []
        for fake in fakes:
            if self.filled < len(self.images):
                self.images[self.filled] = fake
                self.filled += 1
                given.append(fake)
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(len(self.images), ()))
                given.append(self.images[place].clone())
                self.images[place] = fake
            else:
                given.append(fake)
        return torch.stack(given)
