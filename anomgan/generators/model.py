"""Training a generator by itself, and keeping it: `train_generator`, `load_generator`."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anomgan.config import (
    ImageSettings,
    LearningSettings,
    TrainingSettings,
    ViewSettings,
    build_settings,
)
from anomgan.data.folders import list_images
from anomgan.data.normals import Source, read_normals
from anomgan.data.prepare import Preparation
from anomgan.data.views import to_pixels
from anomgan.device import choose_device
from anomgan.errors import InputError, ModelError
from anomgan.generators.base import GANSettings, LatentGAN
from anomgan.generators.registry import GENERATORS, GeneratorName
from anomgan.model_files import CARD, load_weights, read_folder, write_folder
from anomgan.pictures import save_grid
from anomgan.training.phases import train_phase
from anomgan.training.progress import progress_bar
from anomgan.training.recipe import Phase

GRID = 8
"""Rows and columns of samples.png."""


class GeneratorSettings(LearningSettings):
    """Everything that decides what a generator learns."""

    generator: GeneratorName = "dcgan"
    image: ImageSettings = ImageSettings(lighting="keep")
    view: ViewSettings = ViewSettings(kind="whole")
    training: TrainingSettings = TrainingSettings(steps=5000, batch_size=64)
    network: GANSettings = GANSettings()


class TrainedGenerator:
    """A generator with its opponent, trained on images.

    Attributes:
        gan: the recipe with its networks, in evaluation mode; detectors embed the same object.
        settings: what it was trained with.
        channels: 1 (grey) or 3 (RGB).
        history: rows of mean losses; empty when loaded.
    """

    def __init__(
        self, settings: GeneratorSettings, channels: int, device: torch.device | str
    ) -> None:
        torch.manual_seed(settings.seed)
        method = GENERATORS[settings.generator]
        self.gan: LatentGAN = method(settings.view.size, channels, settings.network)
        self.gan.networks.to(device, memory_format=torch.channels_last).eval()
        self.settings = settings
        self.channels = channels
        self.device = torch.device(device)
        self.history: list[dict[str, float]] = []

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """Images uint8 [count, size, size] or [count, size, size, 3] in RGB; the seed decides."""
        draw = torch.Generator().manual_seed(seed)
        z = torch.randn(count, self.settings.network.latent_dim, generator=draw)
        with torch.no_grad():
            x = torch.cat([self.gan.generate(some.to(self.device)).cpu() for some in z.split(64)])
        pixels = to_pixels(x)
        return pixels[..., 0] if self.channels == 1 else pixels

    def save(self, folder: Path | str) -> None:
        """Write a folder with settings, weights, history and a grid of samples.

        Raises:
            InputError: the folder cannot be written to, or holds something else.
        """
        card = {
            "generator": self.settings.generator,
            "settings": self.settings.model_dump(mode="json"),
            "channels": self.channels,
        }
        write_folder(
            Path(folder), card, self.gan.networks.state_dict(), self.history, self._draw_samples
        )

    def _draw_samples(self, folder: Path) -> None:
        images = list(self.sample(GRID * GRID))
        rows = [images[first : first + GRID] for first in range(0, len(images), GRID)]
        save_grid(folder / "samples.png", rows, [""] * GRID, title="Samples")


def train_generator(
    images: Path | str | Sequence[Source],
    *,
    device: str = "auto",
    work_folder: Path | str | None = None,
    resume: bool = False,
    **values: Any,
) -> TrainedGenerator:
    """Train a generator on a folder of images, or on a list of paths or arrays.

    Args:
        images: what it is to imitate.
        device: "auto", "cpu", "cuda" or "mps".
        work_folder: where checkpoints are kept; None keeps none.
        resume: go on from the checkpoint in `work_folder`.
        **values: settings, nested: `generator="wgan_gp", view={"size": 32}`.

    Raises:
        SettingsError: a setting is unknown or out of range.
        InputError: an image cannot be read.
        TrainingError: a loss is not finite, or the checkpoint does not fit.
        Interrupted: Ctrl-C was pressed; a checkpoint is saved.
    """
    settings = build_settings(GeneratorSettings, values)
    sources = list_images(Path(images)) if isinstance(images, Path | str) else list(images)
    if not sources:
        raise InputError("there are no images to learn from")
    with tempfile.TemporaryDirectory(prefix="anomgan-") as scratch:
        folder = Path(work_folder) if work_folder else Path(scratch)
        with progress_bar("reading images", len(sources)) as report:
            read = read_normals(sources, folder=folder, report=report)
        preparation = Preparation.decide(
            settings.image,
            settings.view,
            all_grey=read.all_grey,
            bits=read.bits,
            shapes=read.shapes(),
        )
        model = TrainedGenerator(settings, preparation.channels, choose_device(device))
        with read.prepared(preparation, folder) as store:
            summary = train_phase(
                settings.generator,
                Phase(model.gan, settings.training),
                store,
                range(len(store)),
                settings,
                fingerprint=read.fingerprint,
                device=model.device,
                work_folder=Path(work_folder) if work_folder else None,
                resume=resume,
            )
    model.history = summary.history
    model.gan.networks.eval()
    return model


def load_generator(folder: Path | str, device: str = "auto") -> TrainedGenerator:
    """Load what `TrainedGenerator.save` wrote; nothing in the folder is executed.

    Raises:
        ModelError: the folder is incomplete, damaged, of a newer format, or holds no generator.
    """
    card, tensors = read_folder(Path(folder))
    if "generator" not in card:
        raise ModelError(f"{folder} holds a {card.get('detector', 'damaged')} model, no generator")
    try:
        settings = GeneratorSettings.model_validate(card["settings"])
        model = TrainedGenerator(settings, card["channels"], choose_device(device))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{Path(folder) / CARD} is damaged: {error}") from error
    load_weights(model.gan.networks, tensors, Path(folder))
    return model
