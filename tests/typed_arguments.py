"""Writes `anomgan/detectors/arguments.py` from the settings of all detectors.

    python tests/typed_arguments.py

The settings are the one place of names, types and ranges. Editors and mypy read signatures alone,
and so they are given the sections once more, as TypedDicts; a test compares the two.
"""

from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin

from anomgan.config import ImageSettings, Section, ViewSettings
from anomgan.detectors import METHODS
from anomgan.generators import LatentSettings

FILE = Path(__file__).parents[1] / "anomgan" / "detectors" / "arguments.py"
HEAD = '''"""Types of the settings sections that a constructor takes. Written by a script.

`python tests/typed_arguments.py` writes this file from the settings. They describe each key
(`help(GANomaly)` lists them), check values and hold the defaults. A key may be left out.
"""

from typing import Literal, TypedDict

from anomgan.generators.arguments import ImageOptions as ImageOptions
from anomgan.generators.arguments import ViewOptions as ViewOptions
'''
SHARED = (ImageSettings, ViewSettings, LatentSettings)
"""Sections of generators, too, which are typed in anomgan/generators/arguments.py."""


def sections() -> dict[str, type[Section]]:
    """The section of settings that each TypedDict stands for, by the name of the latter."""
    found: dict[str, type[Section]] = {}
    for method in METHODS.values():
        for field in method.settings_type.model_fields.values():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, Section) and kind not in SHARED:
                found[typed_name(kind)] = kind
    return dict(sorted(found.items()))


def typed_name(kind: type[Section]) -> str:
    """Name of the TypedDict; that of the method before it where methods have one of their own."""
    owner = kind.__module__.rpartition(".")[2]
    methods = {"egbad": "EGBAD", "ganomaly": "GANomaly"}
    name = kind.__name__.removesuffix("Settings")
    if name in ("Network", "Loss"):
        name = methods[owner] + name
    return f"{name}Options"


def spell(annotation: object) -> str:
    """A type as it is written in code, without the ranges that only pydantic checks."""
    if annotation is type(None):
        return "None"
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return spell(inner[0])
    if origin is Literal:
        return "Literal[" + ", ".join(f'"{one}"' for one in inner) + "]"
    if origin is list:
        return f"list[{spell(inner[0])}]"
    if origin is Union or str(origin) == "<class 'types.UnionType'>":
        return " | ".join(spell(one) for one in inner)
    raise TypeError(f"no way to spell {annotation}")


def render() -> str:
    """The text of the file."""
    parts = [HEAD]
    for name, kind in sections().items():
        doc = (kind.__doc__ or "").splitlines()[0]
        lines = [f"class {name}(TypedDict, total=False):", f'    """{doc}"""', ""]
        lines += [f"    {key}: {spell(one.annotation)}" for key, one in kind.model_fields.items()]
        parts.append("\n".join(lines) + "\n")
    return "\n\n".join(parts)


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
