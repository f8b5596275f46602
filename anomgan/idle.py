"""Finds settings without effect, so that they raise an error instead of being ignored."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

from pydantic import BaseModel

IDLE = {
    "pixels": frozenset({"backbone", "training.hard_share"}),
    "features": frozenset({"view", "image.max_side"}),
}
"""Keys or sections that no detector uses, by space; a detector adds its own."""
IDLE_CALIBRATION = {
    "held-out": frozenset({"calibration.folds"}),
    "folds": frozenset({"calibration.share"}),
}
"""Keys that no detector uses, by the method of calibration."""


def drop_idle(values: Mapping[str, Any], idle: Set[str]) -> dict[str, Any]:
    """Remove from nested values the sections and keys ("view.size") in `idle`."""
    kept: dict[str, Any] = {}
    for section, inner in values.items():
        if section in idle:
            continue
        if isinstance(inner, Mapping):
            inner = {name: one for name, one in inner.items() if f"{section}.{name}" not in idle}
        kept[section] = inner
    return kept


def complain_of_idle(kind: type[BaseModel], values: Mapping[str, Any], idle: Set[str]) -> list[str]:
    """Write a line for each key of the nested values in `idle`, with the keys that are used."""
    lines = []
    for section, inner in values.items():
        names = [f"{section}.{name}" for name in inner] if isinstance(inner, Mapping) else []
        wrong, known = [name for name in names if name in idle], _keys(kind, section)
        if section in idle:
            wrong, known = names or [section], kind.model_fields
        used = ", ".join(name for name in known if name not in idle)
        lines += [f"{key} has no effect (used: {used})" for key in wrong]
    return lines


def _keys(kind: type[BaseModel], section: str) -> Iterable[str]:
    field = kind.model_fields.get(section)
    inner = getattr(field and field.annotation, "model_fields", ())
    return [f"{section}.{name}" for name in inner]
