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
    from anomgan.inspection.export import export_model

    typer.echo(export_model(model, out, format, check_dir))
