"""`anomgan generator classifier` as a job: a classifier of one's own images, and how good it is."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anomgan.data.decode import to_uint8
from anomgan.data.labels import LabelledImages, read_labelled
from anomgan.data.normals import read_normals
from anomgan.errors import InputError
from anomgan.evaluation.classifier import Classifier, train_classifier
from anomgan.evaluation.feature_networks import whole_images
from anomgan.machine.progress import progress_bar
from anomgan.model_files import check_target

HELD_OUT = 0.2
"""Share of the images that a classifier is tested on."""


@dataclass(frozen=True)
class Lesson:
    """A classifier and how it did.

    Attributes:
        classifier: trained on most of the images.
        accuracy: share of the held-out images whose class it says.
        held_out: how many those were.
    """

    classifier: Classifier
    accuracy: float
    held_out: int


def run_classifier(
    folder: Path, out: Path, *, size: int, steps: int, seed: int = 0, device: str = "auto"
) -> str:
    """Train a classifier on the class sub-folders of `folder`, save it, and say how good it is.

    Raises:
        InputError: the images cannot be used, or `out` cannot be written to.
        SettingsError: `size` is too small.
    """
    check_target(out)
    found = read_labelled([folder])
    labels, names = classes_of(found)
    preparation = whole_images(size, channels=3)
    with tempfile.TemporaryDirectory(prefix="anomgan-") as scratch:
        with progress_bar("reading images", len(found.sources)) as report:
            read = read_normals(found.sources, folder=Path(scratch), report=report)
        images = [preparation(to_uint8(read[i], read.bits)) for i in range(len(read))]
    lesson = learn_classes(images, labels, names, size=size, steps=steps, seed=seed, device=device)
    lesson.classifier.save(out)
    return (
        f"Learnt {', '.join(names)} from {len(images) - lesson.held_out} images.\n"
        f"Accuracy on {lesson.held_out} held-out images: {lesson.accuracy:.1%}\n"
        f"Classifier: {out}/\n"
        f"Next:  anomgan generator evaluate --features {out} --data-dir {folder}"
    )


def learn_classes(
    images: Sequence[np.ndarray],
    labels: np.ndarray,
    names: Sequence[str],
    *,
    size: int,
    steps: int,
    seed: int = 0,
    device: str = "auto",
) -> Lesson:
    """Train a classifier on most of the images of each class, and test it on the others.

    Args:
        images: uint8 [h, w] or [h, w, C].
        labels: int [N], the class of each as a place in `names`.
        names: of the classes.
        size: pixels; side of the images that the classifier sees.
        steps: training steps.
        seed: of weights, batches and the choice of images.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        InputError: a class has a single image.
        SettingsError: `size` is too small.
    """
    rng = np.random.default_rng(seed)
    held: list[int] = []
    for number, name in enumerate(names):
        members = rng.permutation(np.flatnonzero(labels == number))
        if len(members) < 2:
            raise InputError(
                f"class {name} has a single image; it takes one to learn from and one to test"
            )
        held += members[: max(1, round(HELD_OUT * len(members)))].tolist()
    kept = np.setdiff1d(np.arange(len(labels)), held)
    classifier = train_classifier(
        [images[int(i)] for i in kept],
        labels[kept],
        names,
        size=size,
        steps=steps,
        seed=seed,
        device=device,
    )
    said = classifier.predict([images[i] for i in held])
    return Lesson(classifier, float(np.mean(said == labels[held])), len(held))


def classes_of(found: LabelledImages) -> tuple[np.ndarray, tuple[str, ...]]:
    """The class of each image as a place in the names, and the names.

    Raises:
        InputError: there are attributes, or several data sets.
    """
    if len(found.sets) != 1 or not found.sets[0].exclusive:
        raise InputError(
            "the labels must be classes or domains that exclude each other; these are attributes"
        )
    return found.labels.argmax(1), found.sets[0].names
