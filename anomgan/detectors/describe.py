"""Describes the arguments of a detector's constructor, for `help(GANomaly)`."""

from collections.abc import Iterable
from textwrap import fill
from typing import Any

from anomgan.config import Settings
from anomgan.config_values import build_settings, spaces_of

WIDTH = 96
OWN = {
    "weights": "how much each evidence counts in the score",
    "heatmap_weights": "how much each evidence counts in the heatmap",
}
"""What sections of one type are for; the others are described by their docstrings."""


def describe_arguments(kind: type[Settings], names: Iterable[str]) -> str:
    """Write an "Args:" section that names each argument and its keys, with unit and default."""
    usual = {space: build_settings(kind, {"space": space}) for space in spaces_of(kind)}
    lines = ["Args:"]
    for name in names:
        if name == "device":
            lines.append(_entry(1, name, '"auto", "cpu", "cuda" or "mps". Default "auto".'))
            continue
        field = kind.model_fields[name]
        values = {space: getattr(settings, name) for space, settings in usual.items()}
        sections = [getattr(type(value), "model_fields", {}) for value in values.values()]
        inner = {key: one for section in sections for key, one in section.items()}
        if name == "space":
            lines.append(_entry(1, name, f"{field.description}. Default {field.default!r}."))
        elif not inner:
            lines.append(_entry(1, name, f"{field.description}. {_default(values)}"))
        else:
            about = OWN.get(name) or field.description or str(field.annotation.__doc__)
            lines.append(_entry(1, name, f"dict; {_first(about)}, with the keys"))
            for key, one in inner.items():
                having = {space: value for space, value in values.items() if hasattr(value, key)}
                found = {space: getattr(value, key) for space, value in having.items()}
                lines.append(_entry(2, key, f"{one.description}. {_default(found)}"))
    return "\n".join(lines)


def _default(values: dict[str, Any]) -> str:
    first, *others = values.items()
    differing = [f"in {space} {value!r}" for space, value in others if value != first[1]]
    return ", ".join([f"Default {first[1]!r}", *differing]) + "."


def _first(text: str) -> str:
    line = text.splitlines()[0].rstrip(".")
    return line[0].lower() + line[1:]


def _entry(depth: int, name: str, text: str) -> str:
    indent = "    " * depth
    return fill(f"{name}: {text}", WIDTH, initial_indent=indent, subsequent_indent=indent + "    ")
