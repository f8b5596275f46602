"""Base of the translators: generators that translate an image from one domain to another."""

from abc import abstractmethod
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn

from anomgan.config import Section, TrainingSettings
from anomgan.data.labels import LabelSet
from anomgan.errors import SettingsError
from anomgan.training.recipe import Recipe

# A setting that both StarGANs have.
Texture = Annotated[
    bool,
    Field(
        description="the discriminator also sees the texture of images, amplified; with `change`, "
        "the generator can add to it or remove it (not in the paper)",
    ),
]


class TranslatorSettings(Section):
    """Settings of every translator; a method adds its own."""

    features: int = Field(32, ge=1, le=1024, description="feature maps at full size")
    change: bool = Field(
        False,
        description="the generator outputs a change that is added to the image, instead of a new "
        "image; what it was not trained on, such as a defect, stays (not in the paper)",
    )


class Translator(Recipe):
    """A generator that translates images to a target domain.

    It is fully convolutional: the sides of an image may be any multiples of `stride`.

    Args:
        size: side of the training views in pixels.
        channels: image channels, 1 or 3.
        settings: of the method, an instance of its `settings_type`.
        sets: the labels to learn.

    Raises:
        SettingsError: the method cannot learn these labels.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type[TranslatorSettings]]
    training: ClassVar[TrainingSettings]
    has_styles: ClassVar[bool] = False
    """Whether an image has many translations to one domain: one for each style."""
    stride: int = 4

    def __init__(
        self,
        size: int,
        channels: int,
        settings: TranslatorSettings,
        sets: tuple[LabelSet, ...],
    ) -> None:
        self.settings = settings
        self.sets = sets
        self.networks = nn.ModuleDict(self.build(size, channels))

    @abstractmethod
    def build(self, size: int, channels: int) -> dict[str, nn.Module]:
        """The networks by name."""

    def style(self, c: Tensor, reference: Tensor | None, seed: int) -> Tensor:
        """The condition of the generator [N, D]: target labels, or a style of the target domain.

        Args:
            c: target labels [N, K].
            reference: images [N, C, H, W] of the target domain that give the style.
            seed: of a random style, if there is no reference.

        Raises:
            SettingsError: there is a reference, but the method has no styles.
        """
        if reference is not None:
            raise SettingsError(f"{self.name} knows no styles: give a domain, no reference image")
        return c

    @abstractmethod
    def translate(self, x: Tensor, style: Tensor) -> Tensor:
        """Images x [N, C, H, W] in [-1, 1] translated to `style` [N, D]."""

    def domains(self) -> tuple[str, ...]:
        """Names of the domains, for a method that learns one set of them.

        Raises:
            SettingsError: there are several sets of labels, or labels that are attributes.
        """
        if len(self.sets) != 1 or not self.sets[0].exclusive:
            raise SettingsError(f"{self.name} learns domains of one data set; for more, stargan")
        return self.sets[0].names
