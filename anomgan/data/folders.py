"""Folders of images, and tables that say which images show the same part."""

import csv
import os
import stat
import unicodedata
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from anomgan.data.decode import SUFFIXES
from anomgan.data.own_files import is_own_picture
from anomgan.errors import InputError
from anomgan.machine.notes import counted, note

GROUP_COLUMNS = ("group", "tile", "part", "object", "serial", "lot", "batch")
"""Names of the group column of a table, in order of preference."""
THUMBNAILS = ("@eaDir", "__MACOSX", "#recycle", "$RECYCLE.BIN", "lost+found")
"""Folders that operating systems create, besides hidden ones."""


@dataclass
class Survey:
    """What a folder holds: images to use, and what is left out.

    Attributes:
        images: sorted.
        others: number of files that are not images, by suffix.
        folders: names of hidden folders and of those for thumbnails.
        hidden: number of hidden images.
        own: number of pictures that anomgan wrote: heatmaps, samples, plots.
    """

    images: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    folders: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    own: int = 0

    def left_out(self) -> str:
        """What is left out, in words; empty if nothing is."""
        parts = [f"{count} {suffix}" for suffix, count in sorted(self.others.items())]
        if self.hidden:
            parts.append(counted(self.hidden, "hidden image"))
        if self.own:
            parts.append(f"{counted(self.own, 'picture')} that anomgan wrote")
        if self.folders:
            parts.append("folders " + ", ".join(sorted(self.folders)))
        return ", ".join(parts)


def survey(folder: Path, is_own: Callable[[Path], bool] = is_own_picture) -> Survey:
    """Look through `folder` and what lies below it, links to folders included.

    Args:
        folder: to look through.
        is_own: whether an image is a picture that anomgan wrote.

    Raises:
        InputError: the folder does not exist, or it or one below it cannot be read.
    """
    found = Survey()
    for path in _files(folder, found.folders):
        if path.name.startswith("."):
            found.hidden += is_image(path)
        elif not is_image(path):
            found.others[path.suffix.lower() or "without suffix"] += 1
        elif is_own(path):
            found.own += 1
        else:
            found.images.append(path)
    found.images.sort()
    return found


def list_images(folder: Path) -> list[Path]:
    """All image files below `folder`, sorted; a note says what is left out.

    Raises:
        InputError: the folder does not exist, cannot be read, or holds no images.
    """
    found = survey(folder)
    left_out = found.left_out()
    if not found.images:
        raise InputError(
            f"{folder} holds no images ({', '.join(SUFFIXES)})"
            + (f", only {left_out}" if left_out else "")
        )
    if left_out:
        note(f"{folder}: {counted(len(found.images), 'image')}; left out: {left_out}")
    return found.images


def visible_files(folder: Path) -> Iterator[Path]:
    """The files below `folder`, without hidden ones and those in hidden folders.

    Raises:
        InputError: the folder does not exist, or it or one below it cannot be read.
    """
    return (path for path in _files(folder, Counter()) if not path.name.startswith("."))


def is_image(path: Path) -> bool:
    """Whether a file is an image by its name."""
    return path.suffix.lower() in SUFFIXES


def _files(folder: Path, left_out: Counter[str]) -> Iterator[Path]:
    """Each file below `folder`, once even if links lead to it; counts folders left out."""
    try:
        is_folder = stat.S_ISDIR(folder.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"there is no folder {folder}") from None
    except OSError as error:
        _refuse(error)
    if not is_folder:
        raise InputError(f"{folder} is a file; give the folder that holds the images")
    # A link to a parent folder would bring in everything beside this folder.
    seen = {str(parent) for parent in folder.resolve().parents}
    waiting = deque([str(folder)])
    while waiting:  # links come last, so that files keep the names of the folders they lie in
        for root, names, files in os.walk(waiting.popleft(), onerror=_refuse):
            place = os.path.realpath(root)
            if place in seen:
                names.clear()
                continue
            seen.add(place)
            left_out.update(name for name in names if _is_left_out(name))
            names[:] = sorted(name for name in names if not _is_left_out(name))
            links = (os.path.join(root, name) for name in names)
            waiting.extend(link for link in links if os.path.islink(link))
            yield from (Path(root, name) for name in files)


def _is_left_out(folder: str) -> bool:
    return folder.startswith(".") or folder in THUMBNAILS


def read_groups(table: Path, images: Sequence[Path]) -> list[str]:
    """The group of each image, from a CSV table.

    The column `file`, or else the first one, names images by a path relative to the table's
    folder, or by the last parts of their path. The column `group` names the group, or else the
    first of `GROUP_COLUMNS`, or else the other one of two columns.

    Raises:
        InputError: the table cannot be read, has no group column, gives an image two groups, or
            leaves out images.
    """
    columns, rows = read_rows(table)
    if not rows or len(columns) < 2:
        raise InputError(f"{table} needs a header, two columns (file, group) and a row per image")
    file_column = "file" if "file" in columns else columns[0]
    group_column = _group_column(table, [name for name in columns if name != file_column])
    groups = _by_file(table, rows, file_column, group_column)
    exact = {_spelt(os.path.abspath(table.parent / name)): one for name, one in groups.items()}
    by_parts = defaultdict(list)
    for name in groups:
        by_parts[Path(_spelt(name)).parts].append(name)
    found: list[str] = []
    missing: list[str] = []
    for image in images:
        group = exact.get(_spelt(os.path.abspath(image)))
        if group is None:
            parts = Path(_spelt(str(image))).parts
            ends = (parts[start:] for start in range(len(parts)))
            named = [name for end in ends for name in by_parts.get(end, ())]
            group = groups[named[0]] if len(named) == 1 else None
        if group is None:
            missing.append(str(image))
        found.append(group or "")
    if missing:
        raise InputError(
            f"{table} names no group for {len(missing)} of {len(images)} images, "
            f"such as {', '.join(missing[:3])}"
        )
    return found


def _spelt(name: str) -> str:
    """A name with each umlaut as one character; macOS writes it as two."""
    return unicodedata.normalize("NFC", name)


def read_rows(table: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The columns of a CSV table, and its rows, each with the line of the file where it ends.

    Columns are separated by commas, by semicolons, as Excel does in many countries, or by tabs.

    Raises:
        InputError: it cannot be read, or is not CSV in UTF-8.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            delimiter = max(",;\t", key=file.readline().count)
            file.seek(0)
            reader = csv.DictReader(file, restval="", delimiter=delimiter)
            columns = list(reader.fieldnames or ())
            return columns, [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise InputError(f"cannot read table {table}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f'{table} is not a CSV table in UTF-8 (Excel saves it as "CSV UTF-8"): {error}'
        ) from error


def _refuse(error: OSError) -> NoReturn:
    raise InputError(f"cannot read folder {error.filename}: {error.strerror}") from error


def _by_file(
    table: Path, rows: Sequence[tuple[int, dict[str, str]]], file_column: str, group_column: str
) -> dict[str, str]:
    """The group of each file that the table names."""
    groups: dict[str, str] = {}
    first: dict[str, int] = {}
    for number, row in rows:
        if not (row[file_column] and row[group_column]):
            continue
        name = os.path.normpath(row[file_column])
        if groups.setdefault(name, row[group_column]) != row[group_column]:
            raise InputError(
                f"{table} gives {name} two groups, {groups[name]} in row {first[name]} and "
                f"{row[group_column]} in row {number}; delete one of the rows"
            )
        first.setdefault(name, number)
    return groups


def _group_column(table: Path, columns: Sequence[str]) -> str:
    for name in GROUP_COLUMNS:
        if name in columns:
            return name
    if len(columns) == 1:
        return columns[0]
    raise InputError(f"{table} has no column named group, only {', '.join(columns)}")
