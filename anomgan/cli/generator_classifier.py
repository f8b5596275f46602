"""`anomgan generator classifier`: trains a classifier on your own images, to measure generators."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from anomgan.cli.options import Device, Seed
from anomgan.cli.say import argument, say


def classifier(
    data_dir: Annotated[Path, typer.Option(help="Folder with a sub-folder for each class.")],
    out: Annotated[Path, typer.Option(help="Folder to write the classifier to.")],
    size: Annotated[int, typer.Option(help="Side of the images in pixels, at least 16.")] = 64,
    steps: Annotated[int, typer.Option(min=1, help="Training steps, of 64 images each.")] = 1000,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train a classifier on your own images. Use it to measure generators.

    A fifth of each class is held out to measure the accuracy of the classifier.
    """
    from anomgan.data.decode import to_uint8
    from anomgan.data.labels import read_labelled
    from anomgan.data.normals import read_normals
    from anomgan.evaluation.classifier import classes_of, learn_classes
    from anomgan.evaluation.feature_networks import whole_images
    from anomgan.machine.progress import progress_bar
    from anomgan.model_files import check_target

    check_target(out)
    found = read_labelled([data_dir])
    labels, names = classes_of(found)
    preparation = whole_images(size, channels=3)
    with tempfile.TemporaryDirectory(prefix="anomgan-") as scratch:
        with progress_bar("reading images", len(found.sources)) as report:
            read = read_normals(found.sources, folder=Path(scratch), report=report)
        images = [preparation(to_uint8(image, read.bits)) for image in read]
    lesson = learn_classes(images, labels, names, size=size, steps=steps, seed=seed, device=device)
    lesson.classifier.save(out)
    say(f"Learnt {', '.join(names)} from {len(images) - lesson.held_out} images.")
    say(f"Accuracy on {lesson.held_out} held-out images: {lesson.accuracy:.1%}")
    say(f"Classifier: {out}/")
    features, data = argument(out), argument(data_dir)
    say(f"Next:  anomgan generator evaluate --features {features} --data-dir {data}")
