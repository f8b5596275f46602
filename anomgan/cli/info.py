"""`anomgan info`: describes a model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomgan.cli.options import DEFAULT_MODEL
from anomgan.cli.say import text_of
from anomgan.cli.words import (
    describe_highest,
    describe_promise,
    describe_recalibration,
    describe_roi,
    describe_scale,
    describe_space,
    describe_training,
)

if TYPE_CHECKING:
    from anomgan.detectors.model_folder import StoredModel


def info(
    model: Annotated[
        Path, typer.Argument(help="Model folder, or an exported file.")
    ] = DEFAULT_MODEL,
) -> None:
    """Describe a model: its training, its false-alarm rate and its settings."""
    typer.echo(model_card(model))


def model_card(folder: Path) -> str:
    """Describe a model folder, or a file that `anomgan export` wrote.

    Raises:
        ModelError: the model is incomplete, damaged, or of a newer format.
    """
    from anomgan.detectors.exported import is_exported, read_exported
    from anomgan.detectors.model_folder import read_model

    model = read_exported(folder, "cpu")[0] if is_exported(folder) else read_model(folder)
    preparation = model.preparation
    colour = "grey" if preparation.channels == 1 else "RGB"
    if preparation.view != "patch":
        view = f"whole images, longer side {preparation.size} px"
    else:
        scale = f", images scaled by {preparation.scale:.3g}" if preparation.scale < 1 else ""
        view = f"patches of {preparation.size} px{scale}"
    lines = [
        f"{folder}: {model.detector}, made {model.facts.get('created', model.created)} by anomgan "
        f"{model.version}",
        *describe_training(model.detector, model.facts),
        *describe_space(model.facts),
        *describe_recalibration(model.facts),
        *describe_roi(model.roi),
        *describe_scale(model.settings["score"]),
        f"Sees {colour}, {view}; lighting: {preparation.lighting}.",
        *describe_promise(model.calibration, "recalibration" in model.facts),
        *describe_highest(model.facts, model.calibration),
        "Settings, as --set takes them; those without effect are left out:",
        *_flat(_in_effect(model)),
        f"Data fingerprint: {model.facts['data_fingerprint']}",
    ]
    return text_of(lines)


def _in_effect(model: "StoredModel") -> dict[str, Any]:
    from anomgan.config_values import without_idle
    from anomgan.detectors import METHODS
    from anomgan.errors import ModelError, SettingsError
    from anomgan.model_files import RESTORE

    if model.detector not in METHODS:  # a newer version may know more
        return model.settings
    try:
        return without_idle(METHODS[model.detector].settings_type, model.settings)
    except (SettingsError, TypeError) as error:
        raise ModelError(f"the card of {model.folder} is damaged: {error}; {RESTORE}") from error


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    lines = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{prefix}{key}.")
        else:
            shown = value if isinstance(value, str) else json.dumps(value)
            lines.append(f"  {prefix}{key}={shown}")
    return lines
