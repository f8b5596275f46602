"""`anomgan demo`: the whole job on rendered parts."""

from pathlib import Path
from typing import Annotated

import typer

from anomgan.cli.options import Device


def demo(
    out: Annotated[Path, typer.Option(help="Folder for images, model and pictures.")] = Path(
        "anomgan-demo"
    ),
    seed: Annotated[int, typer.Option(help="Seed of the rendered parts and the training.")] = 0,
    device: Device = "auto",
) -> None:
    """Render a small line of machined parts, learn the good ones, and find the defects.

    Takes about two minutes on two CPU cores.
    """
    from anomgan.inspection.demo import run_demo

    run_demo(out, seed=seed, device=device)
