"""Reads the good images of a fit or a recalibration, and refuses what cannot serve."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anomgan.config import CalibrationSettings, Settings
from anomgan.data.copies import find_copies, thumbnail
from anomgan.data.decode import to_uint8
from anomgan.data.folders import read_groups
from anomgan.data.normals import NormalImages, Source, read_normals, sources_of
from anomgan.data.store import ImageStore
from anomgan.detectors.calibration import hold_out
from anomgan.detectors.method import Method
from anomgan.errors import InputError
from anomgan.machine.notes import counted
from anomgan.machine.progress import progress_bar

FEWEST_TRAINING_IMAGES = 10


def read_good(normals: Path | Sequence[Source], folder: Path, skip: bool) -> NormalImages:
    """Read good images; those that cannot be read are skipped or refused."""
    sources = sources_of(normals)
    with progress_bar("reading images", len(sources)) as report:
        return read_normals(sources, folder=folder, skip_unreadable=skip, report=report)


def require(
    read: NormalImages, normals: Path | Sequence[Source], minimum: int, purpose: str
) -> None:
    """Refuse too few images."""
    if len(read) < minimum:
        where = normals if isinstance(normals, Path) else "the list"
        usable = counted(len(read), "usable image")
        raise InputError(f"{where} holds only {usable}; at least {minimum} are needed: {purpose}")


def require_cells(method: Method, store: ImageStore, shapes: Sequence[tuple[int, int]]) -> None:
    """Check that a place counts in each image, and that it can hold the smallest defect."""
    side = method.grid.stride if method.grid else 1
    for shape, original in {(store.shape(index), shapes[index]) for index in range(len(store))}:
        pixels = shape[0] * shape[1] if method.roi is None else int(method.roi.at(shape).sum())
        if pixels < side**2:
            what, more = "an image has", "take a larger backbone.long_side, or leave it out"
            if method.roi is not None:
                what, more = "the region of interest covers", "draw a larger one"
            raise InputError(
                f"{what} {pixels} pixels of {shape[1]} x {shape[0]}, as the networks see it, less "
                f"than one place of the map, {side} x {side}; {more}"
            )
        least = method.scope(shape, original).least
        if least is not None and least * side**2 > pixels:
            raise InputError(
                f"the smallest defect, {method.settings.score.smallest_defect:g} px², is larger "
                f"than what counts of an image of {original[1]} x {original[0]} pixels"
            )


def find_groups(read: NormalImages, table: Path | None) -> tuple[list[str] | None, int]:
    """Find the group of each image, and count copies; without a table, copies share a group."""
    if table:
        return read_groups(table, [Path(name) for name in read.names]), 0
    firsts = find_copies(np.stack([thumbnail(to_uint8(image, read.bits)) for image in read]))
    copies = len(read) - len(set(firsts))
    return [read.names[first] for first in firsts] if copies else None, copies


def describe_images(
    read: NormalImages, groups: Sequence[str] | None, copies: int
) -> dict[str, Any]:
    """What the card of a model says of the images that it was fitted to or recalibrated on."""
    return {
        "images": len(read),
        "groups": len(set(groups)) if groups else None,
        "copies": copies,
        "skipped_images": len(read.skipped),
        "data_fingerprint": read.fingerprint,
    }


def fewest_images(calibration: CalibrationSettings) -> tuple[int, str]:
    """How many images a fit needs, and what for."""
    if calibration.method == "folds":
        fewest = max(calibration.minimum, 2 * FEWEST_TRAINING_IMAGES)
        return fewest, "to train and to calibrate on"
    return calibration.minimum + FEWEST_TRAINING_IMAGES, (
        f"{calibration.minimum} to calibrate on (calibration.minimum) and {FEWEST_TRAINING_IMAGES} "
        f"to train on"
    )


def divide(groups: Sequence[str], settings: Settings, copies: int) -> tuple[list[int], list[int]]:
    """Divide images into (training, held out); with folds, none is held out."""
    calibration, different = settings.calibration, len(set(groups))
    if calibration.method == "folds":
        training, held = list(range(len(groups))), list[int]()
        enough = different >= max(calibration.folds, FEWEST_TRAINING_IMAGES if copies else 0)
    else:
        training, held = hold_out(groups, calibration.share, calibration.minimum, settings.seed)
        enough = len(training) >= FEWEST_TRAINING_IMAGES
    if enough:
        return training, held
    if copies:
        raise InputError(
            f"{copies} of {len(groups)} images are copies of others, so that there are only "
            f"{len(groups) - copies} different photographs: take more, of other parts"
        )
    if calibration.method == "folds":
        raise InputError(
            f"the images are of {different} groups; calibration.folds = {calibration.folds} needs "
            f"that many: add images of other groups"
        )
    raise InputError(
        f"only {len(training)} images are left to train on after whole groups were held out "
        f"for calibration ({len(held)} images); more groups are needed"
    )
