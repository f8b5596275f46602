"""`anomgan generator evaluate`: measures how good a generator's images are."""

from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from anomgan.cli.options import DEFAULT_GENERATOR, Device, Domains, Generator
from anomgan.cli.say import print_table

if TYPE_CHECKING:
    import numpy as np

    from anomgan.data.normals import Source
    from anomgan.data.prepare import Preparation
    from anomgan.evaluation.quality import Figures

OWN = "own"
CLASSIFIER_STEPS = 1000

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder of real images, if possible not the training images; for a translator, with a "
        "sub-folder for each domain."
    ),
]
Features = Annotated[
    str,
    typer.Option(
        help="Network for the features: inception (downloaded, 104 MB), lite0 (embedded), the "
        "folder of a classifier, or own (trains a classifier on the class sub-folders first)."
    ),
]
Distance = Annotated[
    Literal["lite0", "lpips"],
    typer.Option(
        help="StarGAN v2: perceptual distance for the diversity, by the embedded network (lite0) "
        "or by the package lpips."
    ),
]
Count = Annotated[
    int | None,
    typer.Option(min=2, help="Number of generated images. Default: the number of real images."),
]


def evaluate(
    data_dir: DataDir = None,
    domain: Domains = None,
    features: Features = "inception",
    count: Count = None,
    distance: Distance = "lite0",
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one object per domain.")
    ] = False,
    model: Generator = DEFAULT_GENERATOR,
    device: Device = "auto",
) -> None:
    """Measure the quality and diversity of a generator's images: FID, KID, diversity.

    StarGAN v2 translates each image in ten random styles and in the styles of ten references, and
    its diversity is that of the ten.
    """
    folders = [data_dir] if data_dir else []
    rows = _measure(model, folders, domain or [], features, count, distance, device)
    if json:
        typer.echo("\n".join(map(dumps, rows)))
    else:
        _print(rows)


def _measure(
    model_folder: Path,
    folders: Sequence[Path],
    domains: Sequence[str],
    features: str,
    count: int | None,
    distance: str,
    device: str,
) -> "list[Figures]":
    """Measure a generator; a translator is measured in each domain."""
    from anomgan.cli.runs import read_folders
    from anomgan.data.labels import LabelledImages
    from anomgan.evaluation.classifier import SMALLEST, classes_of, learn_classes
    from anomgan.evaluation.networks import load_network
    from anomgan.evaluation.perceptual import DISTANCES
    from anomgan.evaluation.quality import measure_samples, measure_translations
    from anomgan.generators.loading import load_generator
    from anomgan.generators.trained_gan import TrainedGAN
    from anomgan.generators.trained_translator import TrainedTranslator

    model = load_generator(model_folder, device)
    labelled = isinstance(model, TrainedTranslator) or features == OWN
    found = read_folders(folders, domains, labelled=labelled)
    network = None if features == OWN else load_network(features, device)  # may be a download
    if isinstance(found, LabelledImages):
        labels, names = classes_of(found)
        images = _read(found.sources, model.preparation)
    else:
        images = _read(found, model.preparation)
    about: Figures = {"model": str(model_folder), "generator": model.settings.generator}
    if network is None:
        size = max(SMALLEST, model.settings.view.size)
        lesson = learn_classes(
            images, labels, names, size=size, steps=CLASSIFIER_STEPS, device=device
        )
        network = lesson.classifier
        about[f"accuracy_real_{network.name}"] = lesson.accuracy
    if isinstance(model, TrainedTranslator):
        measure = DISTANCES[distance](device) if model.method.has_styles else None
        rows = measure_translations(model, images, labels, names, network, count, measure)
    else:
        assert isinstance(model, TrainedGAN)
        rows = [measure_samples(model, images, network, count)]
    return [about | row for row in rows]


def _read(sources: "Sequence[Source]", preparation: "Preparation") -> "list[np.ndarray]":
    """Read images, prepared as in the generator's training, [h, w, C]."""
    from anomgan.data.normals import read_source
    from anomgan.machine.progress import progress_bar

    images = []
    with progress_bar("reading images", len(sources)) as report:
        for done, source in enumerate(sources, start=1):
            images.append(preparation(read_source(source), str(source)))
            report(done)
    return images


def _print(rows: "Sequence[Figures]") -> None:
    """Print a table with a row for each figure and a column for each domain."""
    heads = [
        f"{row.get('domain', row['generator'])}" + (f" by {row['guide']}" if "guide" in row else "")
        for row in rows
    ]
    print_table(
        ["figure", *heads],
        [
            (name, *[f"{row[name]:.4g}" for row in rows])
            for name in rows[0]
            if name not in ("model", "generator", "domain", "guide", "network")
        ],
    )
