"""Models of earlier versions: what this one still takes, and what to do about the rest."""

from collections.abc import Callable, Mapping
from typing import Any

from anomgan.errors import ModelError
from anomgan.generators.loading import up_to_date

REMOVED = ("restoration",)
"""Detectors that are gone."""
POSSIBLE: dict[str, Callable[[Any], bool]] = {
    "view.scales": lambda scales: scales == 1,
    "score.top_share": lambda share: not isinstance(share, list),
}
"""Settings that had more values: whether a value still scores as it did."""


def current_settings(card: Mapping[str, Any], origin: object) -> dict[str, Any]:
    """The settings in the card of a detector, without keys that are gone.

    Args:
        card: of a model folder or of an exported file.
        origin: where it is from, for error messages.

    Raises:
        ModelError: it needs a detector, or a setting, that is gone.
    """
    if card["detector"] in REMOVED:
        raise ModelError(
            f"{origin} needs the detector {card['detector']}, which has been removed; fit again "
            f"with the default: anomgan fit --normal-dir FOLDER"
        )
    settings = up_to_date(card["settings"])
    for key, is_possible in POSSIBLE.items():
        section, _, name = key.rpartition(".")
        values = card["settings"].get(section, {}) if section else card["settings"]
        if name in values and not is_possible(values[name]):
            raise ModelError(
                f"{origin} was fitted with {key} = {values[name]!r}, which is no longer possible; "
                f"fit again"
            )
    return settings
