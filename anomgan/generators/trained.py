"""Base of the trained generators: settings, labels, and the model folder."""

import copy
import shutil
from abc import ABC, abstractmethod
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self, cast

import numpy as np
import torch
from pydantic import create_model, model_validator
from torch import Tensor

from anomgan.config import ImageSettings, LearningSettings, Section, ViewSettings
from anomgan.data.labels import LabelSet
from anomgan.data.prepare import Preparation
from anomgan.errors import SettingsError
from anomgan.generators.base import LatentGAN
from anomgan.generators.registry import METHODS
from anomgan.model_files import BEST, LOSSES, SAMPLES, SNAPSHOTS, write_folder
from anomgan.pictures import save_curves
from anomgan.training.recipe import Recipe


class GeneratorSettings(LearningSettings):
    """All settings of a generator; `settings_of` gives the settings of each method."""

    generator: str
    image: ImageSettings = ImageSettings(lighting="keep")
    view: ViewSettings = ViewSettings(kind="whole", past_edge=False)
    network: Section

    @model_validator(mode="after")
    def _learns_from_images(self) -> Self:
        if self.training.hard_share:
            raise ValueError("training.hard_share has no effect: generators learn from images")
        return self


@cache
def settings_of(name: str) -> type[GeneratorSettings]:
    """The settings of a method.

    Raises:
        SettingsError: there is no such method.
    """
    if name not in METHODS:
        raise SettingsError(f"unknown generator {name}; choose {', '.join(METHODS)}")
    method = METHODS[name]
    fields: dict[str, Any] = {
        "generator": (Literal[name], name),
        "training": (type(method.training), method.training),
        "network": (method.settings_type, method.settings_type()),
    }
    return create_model(f"{method.__name__}ModelSettings", __base__=GeneratorSettings, **fields)


class TrainedGenerator(ABC):
    """A generator with its discriminator.

    Attributes:
        settings: of the training.
        preparation: how images become views.
        sets: the labels that it has learnt; empty for most methods.
        device: of the networks.
        method: the recipe with its networks, in evaluation mode.
        facts: about its training.
        history: rows of mean losses; empty after loading.
        snapshots: folder of sample grids from the training, which `save` copies to the model.
        best: weights with the best quality during the training; empty if it was not measured.
    """

    def __init__(
        self,
        settings: GeneratorSettings,
        preparation: Preparation,
        sets: tuple[LabelSet, ...],
        device: torch.device,
    ) -> None:
        self.settings = settings
        self.preparation = preparation
        self.sets = sets
        self.device = device
        torch.manual_seed(settings.seed)
        self.method = recipe_of(settings, preparation, sets)
        self.method.networks.to(device).to(memory_format=torch.channels_last).eval()
        self.facts: dict[str, Any] = {}
        self.history: list[dict[str, float]] = []
        self.snapshots: Path | None = None
        self.best: dict[str, Tensor] = {}

    @property
    def names(self) -> list[str]:
        """All labels that it has learnt."""
        return [name for one in self.sets for name in one.names]

    def encode(self, label: str) -> Tensor:
        """A label as input of the networks, [1, K].

        Args:
            label: a class; or attributes separated by commas. Other attributes of the
                same data set then do not apply; `name=0` says so explicitly.

        Raises:
            SettingsError: a label is unknown, or two classes exclude each other.
        """
        wanted = dict(part.strip().partition("=")[::2] for part in label.split(",") if part.strip())
        unknown = set(wanted) - set(self.names)
        if unknown or not wanted:
            known = f"it knows {', '.join(self.names)}" if self.names else "it knows no labels"
            raise SettingsError(f"unknown label {', '.join(sorted(unknown))!r}: {known}")
        for name, value in wanted.items():
            if value not in ("", "0", "1"):
                raise SettingsError(f"{name}={value}: write {name}, {name}=1 or {name}=0")
        values: list[float] = []
        for one in self.sets:
            named = [name for name in one.names if name in wanted]
            for name in named:
                if one.exclusive and wanted[name] == "0":
                    raise SettingsError(f"{name}=0: name the class that is wanted")
            if one.exclusive and len(named) > 1:
                raise SettingsError(f"{' and '.join(named)} exclude each other: name one")
            row = [float(name in wanted and wanted[name] != "0") for name in one.names]
            values += row if named else [np.nan] * len(one.names)
        return torch.tensor([values], dtype=torch.float32, device=self.device)

    def save(self, folder: Path | str) -> None:
        """Write a model folder: settings, weights, history, loss curves and a grid of samples.

        Where the quality was measured during the training, the folder `best` in it is the model
        with the best weights.

        Raises:
            InputError: the folder cannot be written to, or holds something else.
        """
        card = {
            "generator": self.settings.generator,
            "settings": self.settings.model_dump(mode="json"),
            "preparation": self.preparation.as_dict(),
            "labels": [asdict(one) for one in self.sets],
            "training": self.facts,
        }
        weights = self.method.networks.state_dict()
        write_folder(Path(folder), card, weights, self.history, self._draw)

    @abstractmethod
    def draw_samples(self, path: Path, title: str) -> None:
        """Save a grid of example images."""

    def _draw(self, folder: Path) -> None:
        self.draw_samples(folder / SAMPLES, "Samples")
        if self.history:
            start = self.facts.get("init")
            title = f"{self.settings.generator}, from {start['model']}" if start else None
            save_curves(folder / LOSSES, self.history, title or self.settings.generator)
        if self.snapshots is not None and self.snapshots.is_dir():
            shutil.copytree(self.snapshots, folder / SNAPSHOTS)
        if self.best:
            best = copy.deepcopy(self)
            best.method.networks.load_state_dict(self.best)
            best.best, best.snapshots = {}, None
            best.save(folder / BEST)


def recipe_of(
    settings: GeneratorSettings, preparation: Preparation, sets: tuple[LabelSet, ...]
) -> Recipe:
    """The method that the settings name, with new networks."""
    method = METHODS[settings.generator]
    size, channels, own = settings.view.size, preparation.channels, cast(Any, settings.network)
    if issubclass(method, LatentGAN):
        return method(size, channels, own)
    return method(size, channels, own, sets)
