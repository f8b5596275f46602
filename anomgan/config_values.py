"""Makes settings of nested values, and says what is wrong with them.

A setting without effect is an error, so that nobody waits for an effect.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from anomgan.config import IN_FEATURES, LearningSettings, Settings
from anomgan.errors import SettingsError

AnySettings = TypeVar("AnySettings", bound=LearningSettings)
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


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Combine nested settings; later layers win."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
                merged[key] = merge(merged[key], value)
            else:
                merged[key] = value
    return merged


def build_settings(
    kind: type[AnySettings], values: Mapping[str, Any], source: str = "settings"
) -> AnySettings:
    """Validate nested values; missing sections and keys get their defaults.

    Raises:
        SettingsError: names every wrong key, every key without effect, and the allowed ones.
    """
    if issubclass(kind, Settings):
        idle = _complain_of_idle(kind, values, _idle(kind, values))
        if idle:
            detector, space = (
                values.get(key, kind.model_fields[key].default) for key in ("detector", "space")
            )
            which = f"{detector}, space = {space}"
            if any(line.startswith("calibration") for line in idle):
                which += f", calibration.method = {_method(kind, values)}"
            raise SettingsError(f"{source}: {which}: " + "; ".join(idle))
    try:
        defaults = kind.suited(_defaults(kind, values), values)
        return kind.model_validate(merge(defaults, values))
    except ValidationError as error:
        lines = [_explain(kind, detail) for detail in error.errors()]
        raise SettingsError(f"{source}: " + "; ".join(lines)) from error


def spaces_of(kind: type[Settings]) -> list[str]:
    """List the spaces that a method works in, the default one first."""
    usual = str(kind.model_fields["space"].default)
    return [usual] if kind.in_features is None else ["pixels", "features"]


def names_with_effect(kind: type[Settings]) -> list[str]:
    """List the sections and keys of a method that have an effect in at least one of its spaces."""
    idle = frozenset.intersection(*(_idle_in(kind, space) for space in spaces_of(kind)))
    return [name for name in kind.model_fields if name not in idle and name != "detector"]


def without_idle(kind: type[Settings], values: Mapping[str, Any]) -> dict[str, Any]:
    """Remove nested values that have no effect, which `build_settings` would refuse.

    A model folder stores all settings, also those without effect.
    """
    return drop_idle(values, _idle(kind, values))


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


def _idle(kind: type[Settings], values: Mapping[str, Any]) -> frozenset[str]:
    """List the sections and keys that have no effect in the space that the values choose."""
    space = values.get("space", kind.model_fields["space"].default)
    return _idle_in(kind, space) | IDLE_CALIBRATION.get(_method(kind, values), frozenset())


def _idle_in(kind: type[Settings], space: str) -> frozenset[str]:
    return IDLE.get(space, frozenset()) | kind.idle.get(space, frozenset())


def _method(kind: type[Settings], values: Mapping[str, Any]) -> Any:
    """The method of calibration that the values choose."""
    given, usual = values.get("calibration"), _defaults(kind, values)["calibration"]["method"]
    return given.get("method", usual) if isinstance(given, Mapping) else usual


def _defaults(kind: type[LearningSettings], values: Mapping[str, Any]) -> dict[str, Any]:
    defaults = kind().model_dump()
    if not issubclass(kind, Settings) or values.get("space") in (None, defaults["space"]):
        return defaults
    if kind.in_features is None:
        raise SettingsError(
            f"{defaults['detector']} works on {defaults['space']} only; leave out "
            f"space={values['space']}"
        )
    return merge(defaults, IN_FEATURES, kind.in_features)


def _explain(kind: type[LearningSettings], detail: Any) -> str:
    *sections, last = detail["loc"] or [""]
    key = ".".join(map(str, detail["loc"]))
    if detail["type"] == "extra_forbidden":
        allowed = ", ".join(_section(kind, sections).model_fields)
        return f"unknown key {key} (known here: {allowed})"
    if detail["type"] == "model_type":
        first = next(iter(_section(kind, [*sections, last]).model_fields))
        return f"{key} = {detail['input']!r}: a section has keys, such as {key}.{first}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    if not key:
        return message
    return f"{key} = {detail['input']!r}: {message[0].lower()}{message[1:]}"


def _section(kind: type[BaseModel], names: Sequence[str]) -> Any:
    section: Any = kind
    for name in names:
        section = section.model_fields[name].annotation
    return section


def _complain_of_idle(
    kind: type[BaseModel], values: Mapping[str, Any], idle: Set[str]
) -> list[str]:
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
