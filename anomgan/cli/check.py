"""`anomgan check`: advice on images of good parts, before a fit."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomgan.cli.options import Device, Groups
from anomgan.cli.say import argument, say
from anomgan.errors import InputError
from anomgan.machine.notes import counted

if TYPE_CHECKING:
    from anomgan.evaluation.check import Check

SHOWN = 10
"""Images that are named of each kind."""
STRANGEST = 5
"""Images that are named though they are within what is usual: defects are often among them."""
IN_PICTURE, USUAL = 15, 5
"""Images of the picture that stand out, and usual ones to compare with."""
LINES = 3
"""Lines that a fit prints, at most."""


def check(
    normal_dir: Annotated[Path, typer.Argument(help="Folder of images of good parts.")],
    out: Annotated[Path, typer.Option(help="Picture to write, PNG.")] = Path("anomgan-check.png"),
    drop_list: Annotated[
        Path | None,
        typer.Option(help="New file for the names of images that may be left out, one per line."),
    ] = None,
    groups: Groups = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    device: Device = "auto",
) -> None:
    """Look through images of good parts before a fit: what stands out, and are there enough?

    Nothing is removed or changed. A picture shows the images that stand out.
    """
    from anomgan.evaluation.check import check_folder

    _check_targets(out, drop_list)
    found = check_folder(normal_dir, device, groups)
    if as_json:
        typer.echo(json.dumps(found.as_dict()))
    else:
        for line in describe(found, normal_dir):
            say(line)
    if draw(found, normal_dir, out) and not as_json:
        say(f"Picture: {out}")
    if drop_list is not None:
        write_names(drop_list, found.may_go())


def describe(found: "Check", folder: Path) -> list[str]:
    """What was found, in lines; paths are given from `folder`."""
    lines = [_summary(found, folder)]
    for finding in found.findings:
        lines.append(finding.text)
        for name, said in list(finding.images.items())[:SHOWN]:
            lines.append(f"  {os.path.relpath(name, folder)}: {_short_in(said, folder)}")
        if len(finding.images) > SHOWN:
            lines.append(f"  and {len(finding.images) - SHOWN} more")
    if not found.findings:
        lines.append("Nothing stands out.")
    strangest = ", ".join(os.path.relpath(name, folder) for name in found.strangest(STRANGEST))
    if strangest:
        lines.append(f"Strangest of the rest, worth a look: {strangest}")
    return [*lines, found.advice]


def describe_glance(folder: Path, paths: Sequence[Path]) -> list[str]:
    """What a glance at the images of a folder shows before a fit, in three lines at most."""
    from anomgan.evaluation.check import glance

    count, findings = glance(paths)
    if not findings:
        return []
    texts = [finding.text for finding in findings[: LINES - 1]]
    return [
        *texts,
        f"This was a glance at {count} images; check all with: anomgan check {argument(folder)}",
    ]


def draw(found: "Check", folder: Path, out: Path) -> bool:
    """Draw the images that stand out, the strangest and the most usual; False if there are none."""
    from anomgan.data.decode import read_image, reduced, to_uint8
    from anomgan.pictures.sheet import SIDE, save_sheet

    readable = {one.name for one in found.facts}
    odd = {name: said for name, said in found.remarks().items() if name in readable}
    rest = {name: ["among the strangest"] for name in found.strangest(STRANGEST)}
    if not odd and not rest:
        return False
    usual = {name: ["usual"] for name in found.usual(USUAL)}
    shown = dict(list(odd.items())[:IN_PICTURE]) | rest | usual
    titles = [
        f"{os.path.relpath(name, folder)}\n{_short_in('; '.join(said), folder)}"
        for name, said in shown.items()
    ]
    images = [reduced(to_uint8(read_image(name), found.bits), SIDE) for name in shown]
    save_sheet(out, images, titles, f"{len(odd)} of {len(found.facts)} images stand out")
    return True


def write_names(path: Path, names: Sequence[str]) -> None:
    """Write names as they are, one per line."""
    from anomgan.machine.files import atomic_path

    with atomic_path(path) as temporary:
        temporary.write_bytes(b"".join(os.fsencode(name) + b"\n" for name in names))


def _check_targets(picture: Path, drop_list: Path | None) -> None:
    """Refuse files that cannot be written; it takes a moment, the check minutes."""
    from anomgan.data.folders import is_image
    from anomgan.data.own_files import refuse_to_overwrite

    if picture.suffix.lower() != ".png":
        raise InputError(f"--out {picture}: the picture must end in .png")
    if drop_list is not None and is_image(drop_list):
        raise InputError(f"--drop-list {drop_list}: a list of names must not end like an image")
    refuse_to_overwrite(picture, *([drop_list] if drop_list else []))


def _summary(found: "Check", folder: Path) -> str:
    facts = found.facts
    spans = [
        _span([one.width for one in facts]) + " x " + _span([one.height for one in facts]) + " px",
        " and ".join(sorted({f"{one.depth}" for one in facts})) + " bits",
        " and ".join(sorted({"grey" if one.is_grey else "colour" for one in facts})),
        f"brightness {_span([one.brightness for one in facts])} of 255",
    ]
    return f"{counted(len(facts), 'image')} in {folder}: {', '.join(spans)}."


def _span(values: Sequence[float]) -> str:
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return low if low == high else f"{low} to {high}"


def _short_in(said: str, folder: Path) -> str:
    return said.replace(f"{folder}{os.sep}", "")
