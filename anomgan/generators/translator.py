"""What all translators share: generators that take an image of one domain to another."""

from abc import abstractmethod
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from anomgan.config import Section, TrainingSettings
from anomgan.data.labels import LabelSet
from anomgan.errors import SettingsError
from anomgan.training.recipe import Recipe


class TranslatorSettings(Section):
    """What all translators can be told."""

    features: int = Field(32, ge=1, le=1024, description="feature maps at full size")
    change: bool = Field(
        False,
        description="the generator gives the change of an image instead of the new image: what it "
        "knows nothing of, such as a defect, stays (not in the paper)",
    )


class Translator(Recipe):
    """A generator of images from images, and of what domain they are to belong to.

    Its generator is fully convolutional: images of any size will do whose sides are multiples of
    `stride`.

    Args:
        size: side of the views that it is trained on.
        channels: image channels, 1 or 3.
        settings: sizes and weights, of the method's `settings_type`.
        sets: the labels that it learns.

    Raises:
        SettingsError: the method cannot learn such labels.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type[TranslatorSettings]]
    training: ClassVar[TrainingSettings]
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
        """What the generator is told of its target [N, D]: the labels, or a style of the domain.

        Args:
            c: target labels [N, K].
            reference: images [N, C, H, W] of the target domain whose style is wanted.
            seed: of a drawn style, where there is no reference.

        Raises:
            SettingsError: a reference is given, but the method knows no styles.
        """
        if reference is not None:
            raise SettingsError(f"{self.name} knows no styles: give a domain, no reference image")
        return c

    @abstractmethod
    def translate(self, x: Tensor, style: Tensor) -> Tensor:
        """Images [N, C, H, W] in [-1, 1] of x, as `style` [N, D] asks."""

    def domains(self) -> tuple[str, ...]:
        """The names of the domains, of a method that knows one set of them.

        Raises:
            SettingsError: there are several sets of labels, or attributes.
        """
        if len(self.sets) != 1 or not self.sets[0].exclusive:
            raise SettingsError(f"{self.name} learns domains of one data set; for more, stargan")
        return self.sets[0].names
