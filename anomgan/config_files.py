"""Reads settings from files and from the command line, as nested values."""

import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from anomgan.errors import SettingsError


def find_config(name: Path | str) -> Path:
    """Find a settings file: an existing file, or one that is shipped with anomgan.

    Args:
        name: path of a file; or the name of a shipped file, with or without .toml.

    Raises:
        SettingsError: there is no such file.
    """
    path = Path(name)
    if path.exists() and not path.is_dir():
        return path
    shipped = {file.stem: file for file in _config_folder().rglob("*.toml")}
    stem = path.name.removesuffix(".toml")
    if stem in shipped and path == Path(path.name):
        return shipped[stem]
    near = get_close_matches(stem, shipped, n=4) or sorted(shipped)
    raise SettingsError(
        f"no settings file {name}; a path must exist, and a name must be one of anomgan's own, "
        f"such as {', '.join(near)}"
    )


def _config_folder() -> Path:
    """Find the shipped settings files: in the package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def read_toml(name: Path | str) -> dict[str, Any]:
    """Read a settings file that `find_config` finds.

    Raises:
        SettingsError: there is no such file, it cannot be read, or it is not TOML.
    """
    path = find_config(name)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read settings file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not a TOML settings file: {error}") from error


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Turn `["training.steps=3000", "view.kind=whole"]` into nested settings.

    A value is read as TOML (numbers, true, "text", [lists]). null unsets a setting, and anything
    else is plain text.

    Raises:
        SettingsError: an assignment has no `=` or no key.
    """
    nested: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        *sections, name = key.strip().split(".")
        if not equals or not name or "" in sections:
            raise SettingsError(f"--set {assignment}: write it as section.key=value")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = None if text.strip() == "null" else text.strip()
        target = nested
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise SettingsError(f"--set {assignment}: {section} is a value, not a section")
        target[name] = value
    return nested
