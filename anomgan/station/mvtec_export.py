"""Writes what a person has said as a data set in the layout of MVTec AD."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from anomgan.data.encode import write_png
from anomgan.data.own_files import is_own_file, refuse_to_overwrite
from anomgan.errors import InputError
from anomgan.machine.files import atomic_folder
from anomgan.station.review import IMAGES, Review

GOOD, DEFECT = "good", "defect"


def export_mvtec(review: Review, model: str) -> dict[str, Any]:
    """Write `<review>/mvtec/<model>/`: test/good, test/defect, and masks in ground_truth/defect.

    A mask is white in the boxes that were drawn; a defect without a box has no mask. An earlier
    export is replaced.

    Returns:
        The folder, and how many good and defective images it holds.

    Raises:
        InputError: there is nothing to export, the disk is full, or the folder holds files that are
            not of an export, such as masks that were drawn anew.
    """
    good, defects = review.answered(model, "good"), review.answered(model, "defect")
    if not good and not defects:
        raise InputError("nothing to export: no part was called good or defect")
    folder = review.folder / "mvtec" / model

    def is_of_export(path: Path) -> bool:
        return is_own_file(path) or (review.folder / IMAGES / path.name).exists()

    refuse_to_overwrite(*sorted(folder.rglob("*")), is_own=is_of_export)
    with atomic_folder(folder) as temporary:
        for kind, items in ((GOOD, good), (DEFECT, defects)):
            place = temporary / "test" / kind
            place.mkdir(parents=True)
            for item in items:
                shutil.copyfile(review.path(item), place / item["file"])
        for item in defects:
            if item["boxes"]:
                name = f"{Path(item['file']).stem}_mask.png"
                write_png(temporary / "ground_truth" / DEFECT / name, _mask(item))
    return {"folder": str(folder), "good": len(good), "defect": len(defects)}


def _mask(item: dict[str, Any]) -> np.ndarray:
    mask = np.zeros((item["height"], item["width"]), np.uint8)
    for x, y, width, height in item["boxes"]:
        mask[y : y + height, x : x + width] = 255
    return mask
