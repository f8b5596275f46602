"""Shared by the studies of generators: options, stored models, and their records."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from study import MODELS, RESULTS, ROOT

from anomgan.config_files import parse_assignments, read_toml
from anomgan.config_values import merge
from anomgan.evaluation.classifier import Classifier, load_classifier, train_classifier
from anomgan.evaluation.feature_networks import Images
from anomgan.evaluation.records import append_record, environment
from anomgan.generators import load_generator, train_generator
from anomgan.generators.train import Images as Training
from anomgan.generators.trained import TrainedGenerator
from anomgan.machine.device import choose_device
from anomgan.model_files import CARD


def parser_of(description: str) -> argparse.ArgumentParser:
    """Make the parser of a study; its first line describes it."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only-train", action="store_true")
    return parser


def trained(
    study: str, config: str, images: Training, device: str, changes: Sequence[str] = ()
) -> TrainedGenerator:
    """Load the generator of configs/generators/<config>.toml, or train it on `images`.

    `changes` are settings other than those of the file, as "section.key=value".
    """
    folder = MODELS / study / "_".join([config, *changes])
    if not (folder / CARD).exists():
        work = folder.with_name(f"{folder.name}.training")
        values = merge(
            read_toml(ROOT / "configs" / "generators" / f"{config}.toml"),
            parse_assignments(changes),
        )
        model = train_generator(
            images, device=device, work_folder=work, resume=True, samples_every=500, **values
        )
        model.save(folder)
    return load_generator(folder, device)


def labelled(groups: Mapping[str, Sequence[np.ndarray]]) -> tuple[list[np.ndarray], np.ndarray]:
    """Join groups of images; return the images and the number of the group of each."""
    counts = [len(images) for images in groups.values()]
    every = [image for images in groups.values() for image in images]
    return every, np.repeat(np.arange(len(groups)), counts)


def judge(
    study: str,
    names: Sequence[str],
    read: Callable[[], tuple[Images, np.ndarray]],
    *,
    size: int,
    steps: int,
    device: str,
) -> Classifier:
    """Load the classifier that evaluates a study's results, or train it on the data of `read`."""
    folder = MODELS / study / "classifier"
    if not folder.exists():
        images, labels = read()
        made = train_classifier(
            images, labels, names, size=size, steps=steps, seed=0, device=device
        )
        made.save(folder)
    return load_classifier(folder, device)


def keep_real(study: str, name: str, figures: Mapping[str, Any]) -> None:
    """Append the figures of a study for real images, to compare with."""
    record = {"study": study, "generator": name, **figures}
    append_record(RESULTS / f"{study}.jsonl", record | environment(choose_device("cpu")))
    print(record)


def keep(study: str, model: TrainedGenerator, config: str, figures: Mapping[str, Any]) -> None:
    """Append the record of a model to benchmarks/results/<study>.jsonl."""
    settings = model.settings
    record = {
        "study": study,
        "generator": settings.generator,
        "config": f"{config}.toml",
        "seed": settings.seed,
        "size": settings.view.size,
        "n_train": model.facts["images"],
        **figures,
        "fit_seconds": model.facts["seconds"],
        "fit_steps": model.facts["steps"],
        **environment(model.device),
    }
    append_record(RESULTS / f"{study}.jsonl", record)
