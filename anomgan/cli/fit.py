"""`anomgan fit`: learn what good parts look like."""

from pathlib import Path
from typing import Annotated

import typer

from anomgan.cli.options import DEFAULT_MODEL, Device, Groups, SkipUnreadable


def fit(
    normal_dir: Annotated[Path, typer.Option(help="Folder of photographs of good parts.")],
    detector: Annotated[
        str | None,
        typer.Option(
            help="Method; see: anomgan detectors. Default: the settings file's, or ganomaly in "
            "feature space."
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="What it sees: pixels, or features of a pretrained network. Default: the settings "
            "file's; features without --detector and --config; otherwise pixels."
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            help="Pretrained network of feature space, or several with commas between; see: "
            "anomgan backbones. Default: lite0."
        ),
    ] = None,
    align: Annotated[
        str | None,
        typer.Option(
            help="auto: make use of the place of things where parts lie still; none: never. "
            "Default: auto."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Settings file (TOML), or the name of a shipped one: ganomaly_paper."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="One setting, as in training.steps=3000. May be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Model folder to write.")] = DEFAULT_MODEL,
    groups: Groups = None,
    false_alarm_rate: Annotated[
        float | None,
        typer.Option(help="Share of good images that may be called anomalous. Default: 0.01."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Training steps.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop each phase of training after this many minutes.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random. Default: 0.")] = None,
    device: Device = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from where an earlier fit was stopped.")
    ] = False,
    skip_unreadable: SkipUnreadable = False,
) -> None:
    """Learn what good parts look like, from photographs of good parts alone.

    Part of the images is held out; their scores give the threshold and what it promises. The
    model folder appears when all is done. Ctrl-C saves a checkpoint for --resume.
    """
    from anomgan.inspection.fitting import fit_to_folder, make_detector

    options = {
        "seed": seed,
        "space": space,
        "backbone.name": backbone,
        "backbone.align": align,
        "calibration.false_alarm_rate": false_alarm_rate,
        "training.steps": steps,
        "training.minutes": minutes,
    }
    summary = fit_to_folder(
        make_detector(detector, config, assignments or [], options, device),
        normal_dir,
        out,
        groups=groups,
        resume=resume,
        skip_unreadable=skip_unreadable,
        say=typer.echo,
    )
    if summary:
        typer.echo(summary)
