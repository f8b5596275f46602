"""`anomgan generator evaluate` as a job: how good a generator's images are."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from anomgan.data.labels import LabelledImages
from anomgan.data.normals import Source, read_source
from anomgan.data.prepare import Preparation
from anomgan.data.store import ImageStore
from anomgan.data.views import ViewSampler, to_square
from anomgan.evaluation.classifier import SMALLEST, Classifier, load_classifier
from anomgan.evaluation.feature_networks import FeatureNetwork, load_inception
from anomgan.evaluation.quality import measure
from anomgan.generators.loading import load_generator
from anomgan.generators.trained_gan import TrainedGAN
from anomgan.generators.trained_translator import TrainedTranslator
from anomgan.inspection.classifying import classes_of, learn_classes
from anomgan.inspection.generating import read_folders
from anomgan.machine.progress import progress_bar

INCEPTION, OWN = "inception", "own"
CLASSIFIER_STEPS = 1000
Row = dict[str, Any]


@dataclass(frozen=True)
class EvaluateJob:
    """What to measure against what.

    Attributes:
        model: model folder.
        folders: of real images; for a translator with a sub-folder for each domain.
        domains: "NAME=FOLDER" for each domain, instead of `folders`.
        features: "inception", "own", or the folder of a classifier.
        count: generated images; None for as many as there are real ones.
        device: "auto", "cpu", "cuda" or "mps".
    """

    model: Path
    folders: Sequence[Path]
    domains: Sequence[str]
    features: str
    count: int | None
    device: str


def run_evaluate(job: EvaluateJob) -> list[Row]:
    """The figures of a generator of images; of a translator, those of each domain.

    Raises:
        ModelError: the model or the classifier cannot be loaded.
        SettingsError: the model does not know a domain.
        InputError: the images cannot be used, or the weights cannot be downloaded.
    """
    model = load_generator(job.model, job.device)
    network: FeatureNetwork | None = None
    if job.features == INCEPTION:
        network = load_inception(job.device)
    elif job.features != OWN:
        network = load_classifier(job.features, job.device)
    labelled = isinstance(model, TrainedTranslator) or network is None
    found = read_folders(job.folders, job.domains, labelled=labelled)
    if isinstance(found, LabelledImages):
        labels, names = classes_of(found)
        images = _read(found.sources, model.preparation)
    else:
        images = _read(found, model.preparation)
    about: Row = {"model": str(job.model), "generator": model.settings.generator}
    if network is None:
        lesson = learn_classes(
            images,
            labels,
            names,
            size=max(SMALLEST, model.settings.view.size),
            steps=CLASSIFIER_STEPS,
            device=job.device,
        )
        network = lesson.classifier
        about[f"accuracy_real_{network.name}"] = lesson.accuracy
    if isinstance(model, TrainedTranslator):
        rows = _measure_translations(model, images, labels, names, job.count, network)
    else:
        assert isinstance(model, TrainedGAN)
        rows = [_measure_samples(model, images, job.count, network)]
    return [about | row for row in rows]


def figure_table(rows: Sequence[Row]) -> Table:
    """Figures below each other, domains beside each other."""
    table = Table("figure", *[str(row.get("domain", row["generator"])) for row in rows])
    for name in rows[0]:
        if name not in ("model", "generator", "domain", "network"):
            table.add_row(name, *[f"{row[name]:.4g}" for row in rows])
    return table


def _read(sources: Sequence[Source], preparation: Preparation) -> list[np.ndarray]:
    """Images as the generator was shown them, [h, w, C]."""
    images = []
    with progress_bar("reading images", len(sources)) as report:
        for done, source in enumerate(sources, start=1):
            images.append(preparation(read_source(source), str(source)))
            report(done)
    return images


def _measure_samples(
    model: TrainedGAN, images: Sequence[np.ndarray], count: int | None, network: FeatureNetwork
) -> Row:
    real = _real_views(model, images, count)
    fake = model.sample(count or len(real))
    # Without a label, `sample` takes one class after the other.
    wanted = list(islice(cycle(model.names), len(fake)))
    return measure(fake, real, network) | _accuracy(network, fake, wanted)


def _real_views(model: TrainedGAN, images: Sequence[np.ndarray], count: int | None) -> np.ndarray:
    """What the generator was shown of the images: all of each, or crops."""
    size = model.settings.view.size
    if model.settings.view.kind == "whole":
        return np.stack([to_square(image, size) for image in images])
    with ImageStore() as store:
        for image in images:
            store.append(image)
        number = count or len(images)
        crops = ViewSampler(store, range(len(store)), size=size, batch_size=number, whole=False)
        return crops(0)[0].permute(0, 2, 3, 1).numpy()


def _measure_translations(
    model: TrainedTranslator,
    images: Sequence[np.ndarray],
    labels: np.ndarray,
    names: Sequence[str],
    count: int | None,
    network: FeatureNetwork,
) -> list[Row]:
    """For each domain, images of all others translated to it, against its own."""
    rows: list[Row] = []
    rng = np.random.default_rng(0)
    for number, name in enumerate(names):
        own, others = np.flatnonzero(labels == number), np.flatnonzero(labels != number)
        chosen = rng.choice(others, min(len(others), count or len(own)), replace=False)
        with progress_bar(f"translating to {name}", len(chosen)) as report:
            fake = []
            for seed, index in enumerate(chosen):  # StarGAN v2 draws a style for each
                fake.append(model.apply(images[int(index)], model.style(name, seed=seed)))
                report(seed + 1)
        figures = measure(fake, [images[int(i)] for i in own], network)
        rows.append({"domain": name} | figures | _accuracy(network, fake, [name] * len(fake)))
    return rows


def _accuracy(
    network: FeatureNetwork, fake: Sequence[np.ndarray] | np.ndarray, wanted: Sequence[str]
) -> Row:
    """The share of images that a classifier takes for what they were to be."""
    if not isinstance(network, Classifier) or not wanted or not set(wanted) <= set(network.names):
        return {}
    classes = [network.names.index(name) for name in wanted]
    return {"accuracy_classifier": float(np.mean(network.predict(fake) == classes))}
