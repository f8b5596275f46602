"""`anomgan generator list` and `train`: list the methods, and train one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from anomgan.cli.options import DEFAULT_GENERATOR, Device, Domains, LogDir, TrainingSeed
from anomgan.cli.say import argument, print_table, text_of
from anomgan.machine.notes import counted

if TYPE_CHECKING:
    from anomgan.data.labels import LabelledImages
    from anomgan.evaluation.quality_watch import QualityWatch
    from anomgan.generators.registry import MethodName
    from anomgan.generators.trained import TrainedGenerator

Method = Annotated[
    str | None,
    typer.Argument(help="Method; see: anomgan generator list. Default: that of the settings file."),
]
DataDirs = Annotated[
    list[Path] | None,
    typer.Option(
        help="Folder of images; for methods that need labels, with a sub-folder for each class "
        "or a table labels.csv. May be repeated, to train on several data sets together."
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(help="Settings file (TOML), or the name of a shipped one: dcgan_paper."),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting, such as network.features=64. May be repeated."),
]
SamplesEvery = Annotated[
    int, typer.Option(min=0, help="Save a picture of samples every this many steps; 0: never.")
]
QualityEvery = Annotated[
    int,
    typer.Option(
        min=0,
        help="Measure the quality (KID) every this many steps, and keep the best weights in the "
        "folder best of the model, beside the last; 0: never.",
    ),
]
QualityFeatures = Annotated[
    str,
    typer.Option(
        help="Network for the features of --quality-every: lite0 (embedded), inception "
        "(downloaded), or the folder of a classifier."
    ),
]
Init = Annotated[
    Path | None,
    typer.Option(
        help="Start from the weights of this model folder, of the same method (fine-tuning). Sizes "
        "are those of that model, unless they are given."
    ),
]
Freeze = Annotated[
    list[str] | None,
    typer.Option(
        help="With --init: a network, or a part of one, that is not trained, such as mapping. May "
        "be repeated."
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Continue a training that was stopped, from its checkpoint."),
]


def list_methods() -> None:
    """List the methods: what they learn from and what they generate."""
    from anomgan.generators.registry import ABOUT

    rows = [(name, *words) for name, words in ABOUT.items()]
    print_table(("generator", "learns from", "gives", "paper"), rows, lines=True)


def train(
    method: Method = None,
    data_dir: DataDirs = None,
    domain: Domains = None,
    config: Config = None,
    assignments: Assignments = None,
    out: Annotated[Path, typer.Option(help="Model folder to write.")] = DEFAULT_GENERATOR,
    steps: Annotated[int | None, typer.Option(help="Training steps.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after this many minutes.")] = None,
    seed: TrainingSeed = None,
    size: Annotated[int | None, typer.Option(help="Side of the images in pixels.")] = None,
    samples_every: SamplesEvery = 0,
    quality_every: QualityEvery = 0,
    quality_features: QualityFeatures = "lite0",
    init: Init = None,
    freeze: Freeze = None,
    device: Device = "auto",
    resume: Resume = False,
    log_dir: LogDir = None,
) -> None:
    """Train a generator on images, with or without labels, or on images of several domains.

    The model folder is written at the end. Ctrl-C or SIGTERM saves a checkpoint for --resume.
    """
    from anomgan.cli.runs import gather_settings, read_folders, take_method, work_folder
    from anomgan.generators.registry import GENERATORS, METHODS
    from anomgan.generators.train import train_generator
    from anomgan.machine.distributed import process_group
    from anomgan.model_files import SNAPSHOTS
    from anomgan.training.tensorboard import tensorboard_log

    options = {
        "seed": seed,
        "view.size": size,
        "training.steps": steps,
        "training.minutes": minutes,
    }
    values = gather_settings(config, assignments or [], options)
    chosen = take_method(values, "generator", method, list(METHODS))
    images = read_folders(data_dir or [], domain or [], labelled=chosen not in GENERATORS)
    quality = _quality_watch(images, quality_features, device) if quality_every else None
    with (
        process_group(),
        tensorboard_log(log_dir) as log,
        work_folder(out, "training", resume) as work,
    ):
        if log is not None and work is not None:
            log.follow(work / SNAPSHOTS)
        model = train_generator(
            images,
            generator=cast("MethodName", chosen),
            device=device,
            work_folder=work,
            resume=resume,
            samples_every=samples_every,
            quality=quality,
            quality_every=quality_every,
            init=init,
            freeze=freeze or (),
            **values,
        )
        if work is None:  # not the first of the processes that torchrun starts
            return
        model.save(out)
        if log is not None:
            log.show_new()
            log.show("samples", out / "samples.png", model.facts["steps"])
    typer.echo(_summarise(model, out))


def _quality_watch(
    images: "LabelledImages | list[Path]", features: str, device: str
) -> "QualityWatch":
    from anomgan.evaluation.networks import load_network
    from anomgan.evaluation.quality_watch import QualityWatch

    return QualityWatch(images, load_network(features, device))


def _summarise(model: "TrainedGenerator", out: Path) -> str:
    """Summarise a training: the images, where the model is, and what to do next."""
    from anomgan.generators.trained_gan import TrainedGAN
    from anomgan.model_files import BEST, SNAPSHOTS

    facts = model.facts
    best = f"; {BEST}/ is the model with the best quality" if model.best else ""
    start = f", from the weights of {facts['init']['model']}" if "init" in facts else ""
    labels = f" and the labels {', '.join(model.names)}" if model.names else ""
    grids = f"; {SNAPSHOTS}/ shows the progress" if model.snapshots else ""
    if isinstance(model, TrainedGAN):
        by_attribute = bool(model.sets) and not model.sets[0].exclusive
        wanted = f" --class {argument(model.names[0])}" if by_attribute else ""
        then = f"sample --model {argument(out)} --count 16{wanted}"
    else:
        to = argument(model.names[-1])
        then = f"translate --model {argument(out)} --dir photos/ --to {to} --out translated/"
    return text_of(
        [
            f"{model.settings.generator} learnt from {counted(facts['images'], 'image')}{labels}.",
            f"{counted(facts['steps'], 'step')} in {facts['seconds'] / 60:.1f} minutes on "
            f"{facts['device']}{start}.",
            f"Model: {out}/  (samples.png shows its images{grids}{best})",
            f"Next:  anomgan generator {then}",
        ]
    )
