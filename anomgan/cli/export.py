"""`anomgan export`: writes a model as one file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from anomgan.cli.options import DEFAULT_MODEL, Model
from anomgan.cli.say import say


def export(
    model: Model = DEFAULT_MODEL,
    format: Annotated[
        Literal["onnx", "torchscript"] | None,
        typer.Option(
            help="onnx: runs in OpenVINO or onnxruntime; torchscript: in torch. Default: that of "
            "--out, or onnx."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write, .onnx or .pt (torchscript). Default: the name of the model."
        ),
    ] = None,
    check_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of images on which file and model are compared. Default: images of noise."
        ),
    ] = None,
) -> None:
    """Write a model as one file, and compare the scores of both.

    The file holds the networks as a graph, and everything else that scoring needs. Use it like a
    model folder: `anomgan score --model part.onnx` or `Inspector.load("part.onnx")`. The file is
    only written if its scores agree with those of the model.
    """
    from anomgan.detectors.exported import FORMATS
    from anomgan.detectors.exporter import TOLERANCE, export_model

    if format is None:
        format = "torchscript" if out and out.suffix == FORMATS["torchscript"] else "onnx"
    out = out or Path(f"{model.resolve().name}{FORMATS[format]}")
    found = export_model(model, out, format, check_dir)
    what = f"images of {check_dir}" if check_dir else "images of noise (--check-dir for yours)"
    say(
        f"{out}: {out.stat().st_size / 1e6:.1f} MB. On {found.images} {what} it agrees with "
        f"{model}: {found.differences}, as a share of the largest one ({TOLERANCE:g} is allowed), "
        f"and {found.verdicts} of {found.images} verdicts are the same."
    )
