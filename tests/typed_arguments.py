"""Writes `arguments.py` of the detectors, and that of the generators, from their settings.

    python tests/typed_arguments.py

The settings are the one place of names, types and ranges. Editors and mypy cannot read them, so
these files repeat the arguments of each constructor, and all sections, as TypedDicts. A test
compares the two.
"""

from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin

from anomgan.config import ImageSettings, Section, Settings, TrainingSettings, ViewSettings
from anomgan.config_values import names_with_effect, spaces_of
from anomgan.detectors import METHODS
from anomgan.generators import GENERATORS, LatentSettings
from anomgan.generators import METHODS as GENERATING
from anomgan.generators.translator import TranslatorSettings

PACKAGE = Path(__file__).parents[1] / "anomgan"
HEAD = '''"""Types of the arguments that a constructor takes. Written by a script.

`python tests/typed_arguments.py` writes this file from the settings. They describe each key
(`help(GANomaly)` lists them), check values and hold the defaults. A key may be left out.
"""

from typing import Literal, TypedDict

from anomgan.generators.arguments import ImageOptions as ImageOptions
from anomgan.generators.arguments import LatentGANOptions
from anomgan.generators.arguments import ViewOptions as ViewOptions
'''
GENERATORS_HEAD = '''"""Types of the sections that `train_generator` takes. Written by a script.

`python tests/typed_arguments.py` writes this file from the settings, which describe each key, check
values and hold the defaults. A key may be left out.
"""

from typing import Literal, TypedDict
'''
UNIONS = '''LatentGANOptions = {latent}
"""The keys of one GAN that a detector can be built on."""

NetworkOptions = (
    LatentGANOptions | {others}
)
"""The keys of one method; mypy rejects a mixture of several methods' keys."""
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
    name = kind.__name__.removesuffix("Settings")
    if name in ("Network", "Loss"):
        owners = (one for one in METHODS.values() if one.__module__ == kind.__module__)
        name = next(owners).__name__ + name
    return f"{name}Options"


def spell(annotation: object) -> str:
    """A type as it is written in code, without the ranges that only pydantic checks."""
    if annotation is LatentSettings:
        return "LatentGANOptions"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return typed_name(annotation)
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


def typed_dict(name: str, base: str, doc: str, keys: dict[str, str]) -> str:
    lines = [f"class {name}({base}, total=False):", f'    """{doc}"""', ""]
    return "\n".join([*lines, *(f"    {key}: {kind}" for key, kind in keys.items())]) + "\n"


def section(kind: type[Section], base: type[Section] = Section, without: str = "") -> str:
    """The TypedDict of a section, or of what it adds to a base."""
    doc = (kind.__doc__ or "").splitlines()[0]
    keys = {
        key: spell(one.annotation)
        for key, one in kind.model_fields.items()
        if key not in base.model_fields and key != without
    }
    return typed_dict(
        typed_name(kind), "TypedDict" if base is Section else typed_name(base), doc, keys
    )


def arguments(kind: type[Settings]) -> dict[str, str]:
    """The settings that a constructor takes, each with its type."""
    spelt = {name: spell(kind.model_fields[name].annotation) for name in names_with_effect(kind)}
    spaces = ", ".join(f'"{space}"' for space in spaces_of(kind))
    optional = {name: f"{one} | None" for name, one in spelt.items() if name != "seed"}
    return {"seed": "int"} | optional | {"space": f"Literal[{spaces}]"}


def render() -> str:
    """The text of the detectors' file."""
    parts = [HEAD, *map(section, sections().values())]
    every = set(METHODS.values())
    own = [method for method in METHODS.values() if every.isdisjoint(method.__mro__[1:])]
    methods = {method.__name__: arguments(method.settings_type) for method in own}
    common = {
        key: kind
        for key, kind in next(iter(methods.values())).items()
        if all(one.get(key) == kind for one in methods.values())
    }
    doc = "Arguments that all detectors take."
    parts.append(typed_dict("DetectorOptions", "TypedDict", doc, {"device": "str"} | common))
    for name, keys in sorted(methods.items()):
        rest = {key: kind for key, kind in keys.items() if key not in common}
        doc = f"Arguments of {name}."
        parts.append(typed_dict(f"{name}Options", "DetectorOptions", doc, rest))
    return "\n\n".join(parts)


def render_generators() -> str:
    """The text of the generators' file."""
    parts = [GENERATORS_HEAD, section(ImageSettings), section(ViewSettings)]
    # Vectors alone can be hard: the generators of this file learn from images.
    parts.append(section(TrainingSettings, without="hard_share"))
    parts += [section(LatentSettings), section(TranslatorSettings)]
    kinds = {name: method.settings_type for name, method in GENERATING.items()}
    for kind in kinds.values():
        base = LatentSettings if issubclass(kind, LatentSettings) else TranslatorSettings
        parts.append(section(kind, base))
    latent = " | ".join(typed_name(kinds[name]) for name in GENERATORS)
    others = " | ".join(typed_name(kind) for name, kind in kinds.items() if name not in GENERATORS)
    return "\n\n".join([*parts, UNIONS.format(latent=latent, others=others)])


FILES = {
    PACKAGE / "detectors" / "arguments.py": render,
    PACKAGE / "generators" / "arguments.py": render_generators,
}

if __name__ == "__main__":
    for path, written in FILES.items():
        path.write_text(written(), encoding="utf-8")
