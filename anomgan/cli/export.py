"""`anomgan export`: a model as one file, for a line."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from anomgan.cli.options import DEFAULT_MODEL, Model


def export(
    model: Model = DEFAULT_MODEL,
    format: Annotated[
        Literal["onnx", "torchscript"], typer.Option(help="What runs it: onnxruntime, or torch.")
    ] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(help="File to write: .onnx, or .pt for torchscript. Default: like the model."),
    ] = None,
    check_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of images on which the file is compared. Default: noise."),
    ] = None,
) -> None:
    """Write a model as one file, with all that a verdict takes, and check it against the model.

    The networks become a graph, the rest lies beside it. `anomgan score --model part.onnx` and
    `Inspector.load("part.onnx")` take it like a model folder. There is no file unless it agrees
    with the model.
    """
    from anomgan.detectors.exported import FORMATS
    from anomgan.detectors.exporter import TOLERANCE, export_model

    out = out or Path(f"{model.resolve().name}{FORMATS[format]}")
    found = export_model(model, out, format, check_dir)
    what = f"images of {check_dir}" if check_dir else "images of noise (--check-dir for yours)"
    typer.echo(
        f"{out}: {out.stat().st_size / 1e6:.1f} MB. On {found.images} {what} it has "
        f"{found.differences} of those of {model}, as a share of the largest one "
        f"({TOLERANCE:g} is allowed), and {found.verdicts} of {found.images} verdicts are the same."
    )
