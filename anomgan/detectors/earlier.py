"""Models of earlier versions: which of them this version still loads."""

from collections.abc import Callable, Mapping
from typing import Any

from anomgan.errors import ModelError
from anomgan.generators.loading import up_to_date

REMOVED = ("restoration",)
"""Detectors that have been removed."""
POSSIBLE: dict[str, Callable[[Any], bool]] = {
    "view.scales": lambda scales: scales == 1,
    "score.top_share": lambda share: not isinstance(share, list),
}
"""Settings that once had more values: whether a value is still possible."""


def current_settings(card: Mapping[str, Any], origin: object) -> dict[str, Any]:
    """Return the settings in the card of a detector, without keys that have been removed.

    Args:
        card: of a model folder or of an exported file.
        origin: where the card is from, for error messages.

    Raises:
        ModelError: the model needs a detector or a setting that has been removed.
    """
    if card["detector"] in REMOVED:
        raise ModelError(
            f"{origin} needs the detector {card['detector']}, which has been removed; fit again "
            f"with the default: anomgan fit --normal-dir FOLDER"
        )
    settings = up_to_date(card["settings"])
    # A setting that is newer than the model, whose threshold belongs to scores without it.
    settings["calibration"] = {"method": "held-out"} | settings.get("calibration", {})
    for key, is_possible in POSSIBLE.items():
        section, name = key.split(".")
        values = card["settings"].get(section, {})
        if name in values and not is_possible(values[name]):
            raise ModelError(
                f"{origin} was fitted with {key} = {values[name]!r}, which is no longer possible; "
                f"fit again"
            )
    return settings
