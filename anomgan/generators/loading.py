"""Loading trained generators from their model folders."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from anomgan.config_values import drop_idle
from anomgan.data.labels import LabelSet
from anomgan.data.prepare import Preparation
from anomgan.errors import ModelError, SettingsError
from anomgan.generators.registry import METHODS
from anomgan.generators.trained import GeneratorSettings, TrainedGenerator, recipe_of, settings_of
from anomgan.generators.trained_gan import TrainedGAN
from anomgan.generators.trained_translator import TrainedTranslator
from anomgan.generators.translator import Translator
from anomgan.machine.device import choose_device, own_state
from anomgan.model_files import CARD, RESTORE, fit_weights, kind_of, read_folder

UNION = frozenset(
    ("spectral_norm", "saturating", "critic_steps", "clip")
    + ("gradient_penalty", "mapping_layers", "style_mixing", "r1", "diff_augment")
)
"""Keys that earlier models store for methods which do not use them."""
GONE = frozenset(("view.scales", "view.flip_vertical", "training.accumulate", "network.augment"))
"""Keys of earlier versions that decide nothing after training."""


def load_generator(folder: Path | str, device: str = "auto") -> TrainedGenerator:
    """Load what `TrainedGenerator.save` wrote; nothing in the folder is executed.

    Raises:
        ModelError: the folder is incomplete, damaged, of a newer format, or holds no generator.
    """
    card, tensors = read_folder(Path(folder), "anomgan generator train")
    if "generator" not in card:
        raise ModelError(f"{folder} holds {kind_of(card)}, not a generator")
    try:
        settings = settings_of(card["generator"]).model_validate(up_to_date(card["settings"]))
        preparation = Preparation.from_dict(card["preparation"])
        sets = tuple(
            LabelSet(tuple(one["names"]), bool(one["exclusive"])) for one in card["labels"]
        )
        facts = dict(card["training"])
        weights = fit_weights(
            lambda: recipe_of(settings, preparation, sets).networks, tensors, Path(folder)
        )
    except (KeyError, TypeError, ValueError, SettingsError) as error:
        raise ModelError(f"{Path(folder) / CARD} is damaged: {error}; {RESTORE}") from error
    model = build_model(settings, preparation, sets, choose_device(device))
    model.method.networks.load_state_dict(weights)
    model.facts = facts
    return model


def up_to_date(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings of a model without the keys in `GONE`, and without `UNION`'s foreign ones.

    Crops reached past the edge of images before there was a setting for it.
    For models alone: in a settings file a key that the method does not use is an error.
    """
    values = drop_idle(dict(settings), GONE)
    if isinstance(values.get("view"), Mapping):
        values["view"] = {"past_edge": True, **values["view"]}
    name, network = values.get("generator"), values.get("network")
    if name in list(METHODS) and isinstance(network, Mapping):
        foreign = UNION - set(METHODS[name].settings_type.model_fields)
        values["network"] = {key: one for key, one in network.items() if key not in foreign}
    return values


def load_gan(folder: Path | str, device: str = "auto") -> TrainedGAN:
    """Load a generator that samples images.

    Raises:
        ModelError: as `load_generator`, or it is a translator.
    """
    model = load_generator(folder, device)
    if not isinstance(model, TrainedGAN):
        raise ModelError(f"{folder} holds a translator, {model.settings.generator}: give it images")
    return model


def load_translator(folder: Path | str, device: str = "auto") -> TrainedTranslator:
    """Load a generator that translates images.

    Raises:
        ModelError: as `load_generator`, or it is no translator.
    """
    model = load_generator(folder, device)
    if not isinstance(model, TrainedTranslator):
        raise ModelError(f"{folder} holds a {model.settings.generator}, which translates nothing")
    return model


def build_model(
    settings: GeneratorSettings,
    preparation: Preparation,
    sets: tuple[LabelSet, ...],
    device: torch.device,
) -> TrainedGenerator:
    """An untrained model of the method that the settings name."""
    translates = issubclass(METHODS[settings.generator], Translator)
    kind = TrainedTranslator if translates else TrainedGAN
    with own_state(device):
        return kind(settings, preparation, sets, device)
