"""Fine-tuning: a training that starts from the weights of another model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomgan.config_values import merge
from anomgan.errors import SettingsError
from anomgan.generators.loading import load_generator
from anomgan.generators.trained import TrainedGenerator
from anomgan.model_files import model_id
from anomgan.training.frozen import freeze


@dataclass(frozen=True)
class Start:
    """The weights that a training starts from, and the parts that it does not train.

    Attributes:
        model: the other model.
        folder: where it is from.
        model_id: of the folder, so that another model in the same place is told from it.
        frozen: names of networks, or of their sub-modules.
    """

    model: TrainedGenerator
    folder: Path
    model_id: str
    frozen: tuple[str, ...]

    @classmethod
    def load(cls, folder: Path, generator: str, frozen: Sequence[str]) -> "Start":
        """Load a model of the method `generator`.

        Raises:
            ModelError: the folder holds no generator, or is damaged.
            SettingsError: it is of another method.
        """
        model = load_generator(folder, "cpu")
        if model.settings.generator != generator:
            raise SettingsError(
                f"{folder} is a model of {model.settings.generator}, not of {generator}"
            )
        return cls(model, folder, model_id(folder), tuple(frozen))

    def defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Add the sizes, the colour and the network of the other model to nested settings."""
        settings, preparation = self.model.settings, self.model.preparation
        own = {
            "image": {"channels": "grey" if preparation.channels == 1 else "rgb"},
            "view": {"size": settings.view.size, "kind": settings.view.kind},
            "network": settings.network.model_dump(),
        }
        return merge(own, values)

    def apply(self, model: TrainedGenerator) -> None:
        """Give a new model the weights, and freeze the parts.

        Raises:
            SettingsError: the networks have other sizes, or there is no such part.
        """
        weights, networks = self.model.method.networks.state_dict(), model.method.networks
        shapes = {name: one.shape for name, one in networks.state_dict().items()}
        if shapes != {name: one.shape for name, one in weights.items()}:
            raise SettingsError(
                f"the weights in {self.folder} do not fit: {'; '.join(self._differences(model))}"
            )
        networks.load_state_dict(weights)
        freeze(networks, self.frozen)

    def shared(self) -> dict[str, Any]:
        """What a resumed training must have in common with the interrupted one."""
        return {"initial weights": self.model_id, "frozen parts": list(self.frozen)}

    def facts(self) -> dict[str, Any]:
        """Where the weights are from, and what was not trained, for the card of a model."""
        return {
            "model": str(self.folder),
            "model_id": self.model_id,
            "frozen": list(self.frozen),
            "training": self.model.facts,
        }

    def _differences(self, model: TrainedGenerator) -> list[str]:
        """Settings and labels in which the two models differ."""
        there, here = _sizes(self.model), _sizes(model)
        return [
            f"{key} = {here[key]} here, {there[key]} there"
            for key in here
            if here[key] != there[key]
        ]


def _sizes(model: TrainedGenerator) -> dict[str, Any]:
    settings = model.settings
    network = settings.network.model_dump().items()
    return {
        "view.size": settings.view.size,
        "image channels": model.preparation.channels,
        "labels": ", ".join(model.names) or "none",
        **{f"network.{key}": value for key, value in network},
    }
