"""Labelled images: classes, domains or attributes, of one data set or of several together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anomgan.data.folders import read_rows
from anomgan.data.normals import Source, sources_of
from anomgan.errors import InputError

TABLE = "labels.csv"


@dataclass(frozen=True)
class LabelSet:
    """The labels of one data set.

    Attributes:
        names: of the labels, in the order of their columns.
        exclusive: exactly one applies to an image (classes, domains); otherwise each of them may
            or may not (attributes).
    """

    names: tuple[str, ...]
    exclusive: bool


@dataclass(frozen=True)
class LabelledImages:
    """Images with their labels.

    Attributes:
        sources: paths or arrays.
        labels: float32 [N, K] over all label sets: 1 applies, 0 does not, nan is unknown, as the
            image comes from a data set with other labels.
        sets: the label sets, in the order of their columns.
        strata: int [N], class or data set of each image; training draws from them in turn, so that
            rare ones are seen as often as others.
    """

    sources: list[Source]
    labels: np.ndarray
    sets: tuple[LabelSet, ...]
    strata: np.ndarray


def read_labelled(folders: Sequence[Path | str]) -> LabelledImages:
    """Read one or more labelled data sets; several are trained on together.

    The sub-folders of a folder are its classes. If it holds a table `labels.csv`, that is used
    instead: the column `file` has paths within the folder. Besides it there is either one column of
    class names, or any number of columns of 0 and 1, one for each attribute.

    Raises:
        InputError: a folder or table cannot be used.
    """
    return join([_read_set(Path(folder)) for folder in folders])


def from_domains(domains: Mapping[str, Path | str | Sequence[Source]]) -> LabelledImages:
    """Images of named domains, each a folder or a list of paths or arrays.

    Raises:
        InputError: a folder cannot be read, a name cannot be used, or there are fewer than two
            domains.
    """
    if len(domains) < 2:
        raise InputError("a single domain cannot be told from others; give at least two")
    sources: list[Source] = []
    strata: list[int] = []
    for number, (name, given) in enumerate(domains.items()):
        _check_name(name)
        found = sources_of(given)
        if not found:
            raise InputError(f"domain {name} has no images")
        sources += found
        strata += [number] * len(found)
    labels = np.eye(len(domains), dtype=np.float32)[strata]
    return LabelledImages(sources, labels, (LabelSet(tuple(domains), True),), np.array(strata))


def join(parts: Sequence[LabelledImages]) -> LabelledImages:
    """Join data sets; labels that only other sets have are unknown (nan).

    Raises:
        InputError: two sets have a label of the same name.
    """
    every = [name for part in parts for one in part.sets for name in one.names]
    twice = sorted({name for name in every if every.count(name) > 1})
    if twice:
        raise InputError(
            f"{', '.join(twice)}: a label of two data sets; rename it in one of them, or make them "
            f"one data set if it means the same"
        )
    rows = sum(len(part.sources) for part in parts)
    labels = np.full((rows, sum(part.labels.shape[1] for part in parts)), np.nan, np.float32)
    strata: list[np.ndarray] = []
    row = column = stratum = 0
    for part in parts:
        height, width = part.labels.shape
        labels[row : row + height, column : column + width] = part.labels
        strata.append(part.strata + stratum)
        row, column, stratum = row + height, column + width, stratum + int(part.strata.max()) + 1
    sources = [source for part in parts for source in part.sources]
    sets = tuple(one for part in parts for one in part.sets)
    return LabelledImages(sources, labels, sets, np.concatenate(strata))


def _check_name(name: str) -> None:
    if "," in name or "=" in name:
        raise InputError(f"{name}: the name of a label must not contain a comma or an equals sign")


def _read_set(folder: Path) -> LabelledImages:
    if (folder / TABLE).is_file():
        return _read_table(folder / TABLE)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(names) < 2:
        raise InputError(
            f"{folder} has no labels: make a sub-folder for each class, or a table {TABLE} with "
            f"the columns file and label"
        )
    return from_domains({name: folder / name for name in names})


def _read_table(table: Path) -> LabelledImages:
    found, numbered = read_rows(table)
    columns = [name for name in found if name != "file"]
    rows = [row for _, row in numbered]
    if not rows or not columns or "file" not in found:
        raise InputError(
            f"{table} needs the column file, at least one of labels, and rows of images"
        )
    if empty := [row["file"] for row in rows if not all(row[name] for name in columns)]:
        raise InputError(f"in {table} {empty[0]} has no label: fill it in, or leave the row out")
    for name in columns:
        _check_name(name)
    sources: list[Source] = [table.parent / row["file"] for row in rows]
    values = {row[name] for row in rows for name in columns}
    if values <= {"0", "1"}:
        labels = np.array([[row[name] for name in columns] for row in rows], np.float32)
        sets = (LabelSet(tuple(columns), False),)
        return LabelledImages(sources, labels, sets, np.zeros(len(rows), int))
    if len(columns) > 1:
        raise InputError(
            f"{table} has the columns {', '.join(columns)}: several columns may hold only 0 and 1 "
            f"(attributes); for class names, use a single column"
        )
    classes = sorted(values)
    domains = {
        name: [s for s, row in zip(sources, rows, strict=True) if row[columns[0]] == name]
        for name in classes
    }
    return from_domains(domains)
