"""Labelled data sets of parts, as they are downloaded: training and test images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from anomgan.data.folders import list_images, read_rows
from anomgan.data.masks import find_masks, open_mask
from anomgan.data.mnist import read_mnist
from anomgan.data.normals import Source
from anomgan.errors import InputError

GOOD = "good"
MVTEC = {
    "bottle": (209, 83),
    "cable": (224, 150),
    "capsule": (219, 132),
    "carpet": (280, 117),
    "grid": (264, 78),
    "hazelnut": (391, 110),
    "leather": (245, 124),
    "metal_nut": (220, 115),
    "pill": (267, 167),
    "screw": (320, 160),
    "tile": (230, 117),
    "toothbrush": (60, 42),
    "transistor": (213, 100),
    "wood": (247, 79),
    "zipper": (240, 151),
}
"""Training and test images per category of MVTec AD (Bergmann et al., IJCV 2021, table 1)."""
VISA = ("object", "split", "label", "image", "mask")
"""Columns of the table that says how VisA is split."""
DOWNLOADS = {
    "mvtec": "MVTec AD (CC BY-NC-SA 4.0): https://www.mvtec.com/company/research/datasets/mvtec-ad",
    "visa": "VisA (CC BY 4.0): https://github.com/amazon-science/spot-diff",
    "btad": "BTAD (CC BY-NC-SA 4.0): https://avires.dimi.uniud.it/papers/btad/btad.zip",
}
"""Where each set comes from, and its licence."""


@dataclass(frozen=True)
class LabelledImage:
    """An image whose truth is known.

    Attributes:
        source: path or pixels of the image.
        kind: "good", or the name of its defect.
        mask: image that shows where the defect is; None if there is none.
    """

    source: Source
    kind: str
    mask: Path | None = None

    @property
    def is_anomalous(self) -> bool:
        """Whether it shows a defect."""
        return self.kind != GOOD


@dataclass(frozen=True)
class PartSet:
    """One kind of part: images to learn from, and images to be tested on.

    Attributes:
        normals: good images to learn from.
        test: images with their truth.
    """

    normals: Sequence[Source]
    test: list[LabelledImage]


def read_mask(image: LabelledImage, shape: tuple[int, int]) -> np.ndarray | None:
    """The mask of a test image as bool [H, W]; None where there is none.

    Raises:
        InputError: it cannot be read, or does not fit the `shape` of the image.
    """
    return open_mask(image.mask, image.source, shape).pixels if image.mask else None


def read_test(folder: Path) -> list[LabelledImage]:
    """The test images of a folder in the layout of MVTec AD.

    `test/good`, `test/<defect>`, and `ground_truth/<defect>/<stem>_mask.png` where there are
    masks; `find_masks` says what else they may be called. All defective images have a mask, or
    none has.

    Raises:
        InputError: a folder or some of the masks are missing, or a mask is ambiguous.
    """
    _need(folder, "test/good")
    test = [LabelledImage(path, GOOD) for path in list_images(folder / "test" / GOOD)]
    kinds = [p for p in sorted((folder / "test").iterdir()) if p.is_dir() and p.name != GOOD]
    if not kinds:
        raise InputError(f"{folder / 'test'} has no folder of defects beside good")
    for kind in kinds:
        test += [LabelledImage(path, kind.name) for path in list_images(kind)]
    if (folder / "ground_truth").is_dir():
        test = _with_masks(test, folder / "test", folder / "ground_truth")
    _all_or_none(test)
    return test


def read_folder(folder: Path) -> PartSet:
    """Any part in the layout of MVTec AD: `train/good`, and what `read_test` reads.

    Raises:
        InputError: a folder or some of the masks are missing.
    """
    _need(folder, "train/good", "test/good")
    normals = list_images(folder / "train" / GOOD)
    return PartSet(normals, read_test(folder))


def read_mvtec(root: Path, category: str) -> PartSet:
    """A category of MVTec AD as downloaded.

    Raises:
        InputError: as `read_folder`, or images are missing.
    """
    parts = read_folder(root / category)
    found = len(parts.normals), len(parts.test)
    if found != MVTEC.get(category, found):
        expected = MVTEC[category]
        raise InputError(
            f"{root / category} is incomplete: {found[0]} training and {found[1]} test images "
            f"instead of {expected[0]} and {expected[1]}; get {DOWNLOADS['mvtec']}"
        )
    return parts


def read_visa(root: Path, category: str) -> PartSet:
    """A category of VisA as downloaded, split as its `split_csv/1cls.csv` says.

    Raises:
        InputError: the table or a file that it names is missing.
    """
    table = root / "split_csv" / "1cls.csv"
    if not table.is_file():
        raise InputError(f"there is no {table}; get {DOWNLOADS['visa']}")
    columns, numbered = read_rows(table)
    if not set(VISA) <= set(columns):
        raise InputError(f"{table} needs the columns {', '.join(VISA)}; get {DOWNLOADS['visa']}")
    rows = [row for _, row in numbered if row["object"] == category]
    if not rows:
        raise InputError(f"{table} has no object {category}")
    missing = [root / row["image"] for row in rows if not (root / row["image"]).is_file()]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(rows)} images of {category} are missing, such as "
            f"{missing[0]}; get {DOWNLOADS['visa']}"
        )
    test = [
        LabelledImage(
            root / row["image"],
            GOOD if row["label"] == "normal" else "anomaly",
            root / row["mask"] if row["mask"] else None,
        )
        for row in rows
        if row["split"] == "test"
    ]
    _all_or_none(test)
    normals = [root / row["image"] for row in rows if row["split"] == "train"]
    return PartSet(normals, test)


def read_btad(root: Path, category: str) -> PartSet:
    """A product (01, 02, 03) of BTAD as downloaded: `ok` and `ko`, masks of any format.

    Raises:
        InputError: a folder or a mask is missing.
    """
    folder = root / category
    _need(folder, "train/ok", "test/ok", "test/ko", "ground_truth/ko")
    test = [LabelledImage(path, GOOD) for path in list_images(folder / "test" / "ok")]
    test += [LabelledImage(path, "ko") for path in list_images(folder / "test" / "ko")]
    test = _with_masks(test, folder / "test", folder / "ground_truth")
    _all_or_none(test)
    return PartSet(list_images(folder / "train" / "ok"), test)


def read_pair(good: Path, bad: Path, masks: Path | None = None) -> list[LabelledImage]:
    """A test of two folders; a defect's kind is the folder under `bad` that it lies in.

    Args:
        good: folder of good images.
        bad: folder of defective ones, in folders by kind or all in one.
        masks: folder with a mask per defective image, under the same relative path; see
            `find_masks`.

    Raises:
        InputError: a folder or a mask is missing, or a mask is ambiguous, or an image lies in both
            folders.
    """
    fine = list_images(good)
    known = {path.resolve() for path in fine}
    defective = []
    for path in list_images(bad):
        if path.resolve() in known:
            raise InputError(f"{path} lies in {good}, too; an image is good or defective, not both")
        inner = path.relative_to(bad)
        defective.append(LabelledImage(path, inner.parts[0] if len(inner.parts) > 1 else "defect"))
    if masks:
        defective = _with_masks(defective, bad, masks)
        if not any(image.mask for image in defective):
            raise InputError(f"{masks} holds no mask of an image in {bad}")
    _all_or_none(defective)
    return [*(LabelledImage(path, GOOD) for path in fine), *defective]


def read_digit(
    root: Path, digit: int, protocol: str = "one-class", per_digit: int | None = None
) -> PartSet:
    """MNIST as a set of parts, one digit normal or one anomalous.

    Args:
        root: folder that holds MNIST/raw.
        digit: the one that is alone; see `protocol`.
        protocol: "one-class": `digit` is normal, all others are anomalous; "leave-one-out":
            `digit` is anomalous, all others are normal (EGBAD, GANomaly).
        per_digit: the first so many test images of each digit; None: all.

    Raises:
        InputError: the files are not there, or damaged.
    """
    train, train_digits = read_mnist(root, train=True)
    test, test_digits = read_mnist(root, train=False)
    one_class = protocol == "one-class"
    ranks = [np.flatnonzero(test_digits == d)[:per_digit] for d in range(10)]
    labelled = [
        LabelledImage(
            test[i], GOOD if (test_digits[i] == digit) == one_class else f"digit {test_digits[i]}"
        )
        for i in np.sort(np.concatenate(ranks))
    ]
    return PartSet(list(train[(train_digits == digit) == one_class]), labelled)


def categories(root: Path, layout: str) -> list[str]:
    """The categories below `root` in the layout "mvtec", "visa" or "btad".

    Raises:
        InputError: there are none.
    """
    inside = {"mvtec": "train/good", "visa": "Data/Images", "btad": "train/ok"}[layout]
    found = sorted(path.name for path in root.glob("*") if (path / inside).is_dir())
    if not found:
        raise InputError(
            f"{root} holds no category in this layout (<category>/{inside}); "
            f"get {DOWNLOADS[layout]}"
        )
    return found


def _with_masks(images: Sequence[LabelledImage], below: Path, masks: Path) -> list[LabelledImage]:
    """The same images; defective ones with their masks. Masks of good ones are ignored."""
    found = find_masks([Path(str(image.source)) for image in images], below, masks)
    return [
        replace(image, mask=mask) if image.is_anomalous else image
        for image, mask in zip(images, found, strict=True)
    ]


def _all_or_none(test: Sequence[LabelledImage]) -> None:
    bad = [image for image in test if image.is_anomalous]
    missing = [image.source for image in bad if image.mask is None]
    if missing and len(missing) < len(bad):
        found = next(image.mask for image in bad if image.mask)
        raise InputError(
            f"{len(missing)} of {len(bad)} defective images have no mask, such as {missing[0]}; "
            f"others have one, such as {found}"
        )


def _need(folder: Path, *names: str) -> None:
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    missing = [name for name in names if not (folder / name).is_dir()]
    if missing:
        raise InputError(f"{folder} lacks {' and '.join(missing)}")
