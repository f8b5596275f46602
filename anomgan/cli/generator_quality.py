"""`anomgan generator evaluate` and `classifier`: how good a generator's images are."""

from pathlib import Path
from typing import Annotated

import typer

from anomgan.cli.generator_options import DEFAULT_GENERATOR, Domains, Model, Seed
from anomgan.cli.options import Device


def evaluate(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of real images, best of such as the generator was not trained on; for a "
            "translator with a sub-folder for each domain."
        ),
    ] = None,
    domain: Domains = None,
    features: Annotated[
        str,
        typer.Option(
            help="What tells images apart: inception (downloaded, 104 MB), the folder of a "
            "classifier, or own (a classifier is trained on the class sub-folders first)."
        ),
    ] = "inception",
    count: Annotated[
        int | None, typer.Option(min=2, help="Generated images. Default: as many as real ones.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one object per domain.")
    ] = False,
    model: Model = DEFAULT_GENERATOR,
    device: Device = "auto",
) -> None:
    """Measure how good and how varied the images of a generator are: FID, KID, diversity."""
    from json import dumps

    from rich.console import Console

    from anomgan.inspection.measuring import EvaluateJob, figure_table, run_evaluate

    folders = [data_dir] if data_dir else []
    rows = run_evaluate(EvaluateJob(model, folders, domain or [], features, count, device))
    if json:
        typer.echo("\n".join(map(dumps, rows)))
    else:
        Console().print(figure_table(rows))


def classifier(
    data_dir: Annotated[Path, typer.Option(help="Folder with a sub-folder for each class.")],
    out: Annotated[Path, typer.Option(help="Folder of the classifier to write.")],
    size: Annotated[int, typer.Option(help="Side of the images in pixels, at least 16.")] = 64,
    steps: Annotated[int, typer.Option(min=1, help="Training steps, of 64 images each.")] = 1000,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train a classifier of your own images, by which to measure generated ones.

    A fifth of each class is held out; it says how good the classifier is.
    """
    from anomgan.inspection.classifying import run_classifier

    typer.echo(run_classifier(data_dir, out, size=size, steps=steps, seed=seed, device=device))
