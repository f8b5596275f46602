"""`anomgan generator list` and `train` as jobs: what there is to choose from, and the training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from anomgan.cli.runs import gather_settings, take_method, work_folder
from anomgan.data.folders import list_images
from anomgan.data.labels import LabelledImages, from_domains, read_labelled
from anomgan.errors import InputError
from anomgan.generators.registry import GENERATORS, METHODS
from anomgan.generators.train import train_generator
from anomgan.generators.trained import SNAPSHOTS, TrainedGenerator
from anomgan.generators.trained_gan import TrainedGAN
from anomgan.machine.distributed import process_group

ABOUT = {
    "gan": ("images", "new images", "Goodfellow et al. 2014"),
    "dcgan": ("images", "new images", "Radford et al. 2016"),
    "wgan": ("images", "new images", "Arjovsky et al. 2017"),
    "wgan_gp": ("images", "new images", "Gulrajani et al. 2017"),
    "stylegan": ("images", "new images, typical or varied", "Karras et al. 2019"),
    "cgan": ("labelled images", "new images of a class", "Mirza and Osindero 2014"),
    "cyclegan": ("images of 2 domains", "images taken to the other", "Zhu et al. 2017"),
    "stargan": (
        "images of any domains or attributes, of several data sets at once",
        "images taken to any of them",
        "Choi et al. 2018",
    ),
    "stargan_v2": (
        "images of any domains",
        "images taken to any of them, in a style drawn or shown",
        "Choi et al. 2020",
    ),
}
"""What each method learns from, what it gives, and its paper."""


def method_table() -> Table:
    """The methods: what they learn from, and what they give."""
    table = Table("generator", "learns from", "gives", "paper", show_lines=True)
    for name, words in ABOUT.items():
        table.add_row(name, *words)
    return table


@dataclass(frozen=True)
class TrainJob:
    """What to train on what.

    Attributes:
        method: name; None takes the settings file's.
        folders: of images; of labelled ones for methods that learn labels.
        domains: "NAME=FOLDER" for each domain, instead of `folders`.
        config: TOML file of settings.
        assignments: "section.key=value".
        options: settings by "section.key"; None where not given.
        out: model folder to write.
        samples_every: steps between sample grids; 0 for none.
        device: "auto", "cpu", "cuda" or "mps".
        resume: go on with an unfinished training.
    """

    method: str | None
    folders: Sequence[Path]
    domains: Sequence[str]
    config: Path | None
    assignments: Sequence[str]
    options: Mapping[str, Any]
    out: Path
    samples_every: int
    device: str
    resume: bool


def train_to_folder(job: TrainJob) -> str | None:
    """Train, save to `job.out`, and say what was learnt.

    Checkpoints live in `<out>.training` beside the model folder until the model is saved; sample
    grids, if any, are kept in it. Of the processes that `torchrun` starts, the first one alone
    saves and has something to say.

    Raises:
        SettingsError: a setting is unknown or out of range.
        InputError: the images cannot be used, or `out` cannot be written to.
        TrainingError: the training cannot go on.
        Interrupted: Ctrl-C was pressed; a checkpoint is saved.
    """
    values = gather_settings(job.config, job.assignments, job.options)
    method = take_method(values, "generator", job.method, list(METHODS))
    images = read_folders(job.folders, job.domains, labelled=method not in GENERATORS)
    with process_group(), work_folder(job.out, "training", job.resume) as work:
        model = train_generator(
            images,
            generator=method,
            device=job.device,
            work_folder=work,
            resume=job.resume,
            samples_every=job.samples_every,
            **values,
        )
        if work is None:
            return None
        model.save(job.out)
    return summarise(model, job.out)


def read_folders(
    folders: Sequence[Path], domains: Sequence[str], *, labelled: bool
) -> LabelledImages | list[Path]:
    """Images from folders, or labelled ones from folders or from one folder for each domain.

    Raises:
        InputError: both or neither are given, or a folder cannot be used.
    """
    if domains and not labelled:
        raise InputError("labels are of no use here: give --data-dir DIR instead of --domain")
    if bool(folders) == bool(domains):
        or_domains = ", or --domain NAME=DIR for each domain" if labelled else ""
        raise InputError(f"say where the images are: --data-dir DIR{or_domains}")
    if not labelled:
        return [path for folder in folders for path in list_images(folder)]
    return from_domains(_by_name(domains)) if domains else read_labelled(folders)


def summarise(model: TrainedGenerator, out: Path) -> str:
    """What a training learnt, where things are, and what to do next."""
    facts = model.facts
    labels = f" and the labels {', '.join(model.names)}" if model.names else ""
    grids = f"; {SNAPSHOTS}/ how it came to it" if model.snapshots else ""
    if isinstance(model, TrainedGAN):
        then = f"sample --model {out} --count 16"
    else:
        then = f"translate --model {out} --dir photos/ --to {model.names[-1]} --out translated/"
    return "\n".join(
        [
            f"{model.settings.generator} learnt from {facts['images']} images{labels}.",
            f"{facts['steps']} steps in {facts['seconds'] / 60:.1f} minutes on {facts['device']}.",
            f"Model: {out}/  (samples.png shows what it can do{grids})",
            f"Next:  anomgan generator {then}",
        ]
    )


def _by_name(domains: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for text in domains:
        name, equals, folder = text.partition("=")
        if not (name and equals and folder):
            raise InputError(f"--domain {text}: write it as NAME=DIR")
        if name in found:
            raise InputError(f"--domain {name} is given twice; put its images into one folder")
        found[name] = Path(folder)
    return found
