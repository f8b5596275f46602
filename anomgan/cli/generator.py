"""`anomgan generator`: the generators by themselves, from training to figures."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomgan.cli.generator_options import DEFAULT_GENERATOR, Domains, Model, Seed
from anomgan.cli.generator_quality import classifier, evaluate
from anomgan.cli.options import Device

if TYPE_CHECKING:
    from anomgan.inspection.scoring import Outcome

app = typer.Typer(
    no_args_is_help=True,
    help="Train generators and use them: draw images, translate photographs, measure the results.",
)


class Space(StrEnum):
    """Where to search for a code."""

    w = "w"
    w_plus = "w+"


@app.command("list")
def list_methods() -> None:
    """List the methods: what they learn from, what they give."""
    from rich.console import Console

    from anomgan.inspection.generating import method_table

    Console().print(method_table())


@app.command()
def train(
    method: Annotated[
        str | None,
        typer.Argument(help="See: anomgan generator list. Default: the settings file's."),
    ] = None,
    data_dir: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of images; for methods that learn labels with a sub-folder for each class "
            "or a table labels.csv. May be repeated: several data sets are learnt together."
        ),
    ] = None,
    domain: Domains = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Settings file (TOML), or the name of a shipped one: dcgan_paper."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="One setting, as in network.features=64. May be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Model folder to write.")] = DEFAULT_GENERATOR,
    steps: Annotated[int | None, typer.Option(help="Training steps.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after this many minutes.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random. Default: 0.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the images in pixels.")] = None,
    samples_every: Annotated[
        int, typer.Option(min=0, help="Steps from one picture of samples to the next; 0: none.")
    ] = 0,
    device: Device = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from where an earlier training was stopped.")
    ] = False,
) -> None:
    """Train a generator on images, on images by class, or on images of several domains.

    The model folder appears when all is done. Ctrl-C saves a checkpoint for --resume.
    """
    from anomgan.inspection.generating import TrainJob, train_to_folder

    options = {
        "seed": seed,
        "view.size": size,
        "training.steps": steps,
        "training.minutes": minutes,
    }
    job = TrainJob(
        method=method,
        folders=data_dir or [],
        domains=domain or [],
        config=config,
        assignments=assignments or [],
        options=options,
        out=out,
        samples_every=samples_every,
        device=device,
        resume=resume,
    )
    summary = train_to_folder(job)
    if summary:
        typer.echo(summary)


@app.command()
def sample(
    model: Model = DEFAULT_GENERATOR,
    count: Annotated[int, typer.Option(min=1, help="Number of images.")] = 16,
    seed: Seed = 0,
    label: Annotated[
        str | None,
        typer.Option("--class", help="What they are to show. Default: one class after the other."),
    ] = None,
    truncation: Annotated[
        float, typer.Option(min=0, help="StyleGAN: below 1 more typical images, less varied ones.")
    ] = 1.0,
    interpolate: Annotated[
        bool, typer.Option("--interpolate", help="Go from one image to another, as a strip.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for 000000.png and so on; earlier samples in it are replaced, other files "
            "never. Default: anomgan-samples, unless a picture is made."
        ),
    ] = None,
    grid: Annotated[
        Path | None,
        typer.Option(
            help="One picture of all (of 64 at most). Default with --interpolate: "
            "anomgan-interpolation.png."
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Draw images."""
    from anomgan.inspection.sampling import SampleJob, run_sample

    job = SampleJob(model, count, seed, label, truncation, interpolate, out, grid, device)
    typer.echo(run_sample(job))


@app.command()
def translate(
    out: Annotated[
        Path, typer.Option(help="Folder for the results, named as the photographs, as PNG.")
    ],
    image: Annotated[
        list[Path] | None, typer.Option(help="Photograph to translate. May be repeated.")
    ] = None,
    dir: Annotated[
        Path | None, typer.Option(help="Translate every image in this folder and its sub-folders.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="Domain; or attributes, those that apply, with commas.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="StarGAN v2: image of that domain whose style is wanted.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="StarGAN v2: seed of a drawn style.")] = 0,
    full_size: Annotated[
        bool,
        typer.Option(
            "--full-size",
            help="Add the model's changes, enlarged, to the photograph: its size and detail stay.",
        ),
    ] = False,
    model: Model = DEFAULT_GENERATOR,
    device: Device = "auto",
) -> None:
    """Make photographs look as those of another domain.

    Exit codes: 0 done, 2 bad input or settings, 3 some images of a batch could not be read.
    """
    from anomgan.inspection.translating import TranslateJob, run_translate

    job = TranslateJob(model, image or [], dir, to, reference, seed, full_size, out, device)
    _leave(run_translate(job, typer.echo))


@app.command()
def project(
    image: Annotated[list[Path], typer.Option(help="Photograph to rebuild. May be repeated.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")],
    space: Annotated[
        Space, typer.Option(help="StyleGAN: one style for all layers, or one for each.")
    ] = Space.w_plus,
    steps: Annotated[int | None, typer.Option(min=1, help="Most steps of the search.")] = None,
    model: Model = DEFAULT_GENERATOR,
    device: Device = "auto",
) -> None:
    """Find the codes from which a generator rebuilds photographs; show what it cannot.

    Exit codes: 0 done, 2 bad input or settings, 3 some images of a batch could not be read.
    """
    from anomgan.inspection.translating import ProjectJob, run_project

    _leave(run_project(ProjectJob(model, image, space.value, steps, out, device), typer.echo))


for verb in (evaluate, classifier):
    app.command()(verb)


def _leave(outcome: "Outcome") -> None:
    if outcome.failed:
        raise typer.Exit(2 if outcome.failed == outcome.total else 3)
