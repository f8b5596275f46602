"""`anomgan recalibrate`: sets a new threshold from new good images, without training."""

from pathlib import Path
from typing import Annotated

import typer

from anomgan.cli.options import (
    DEFAULT_MODEL,
    Device,
    Groups,
    Model,
    PixelsPerMm,
    Roi,
    SkipUnreadable,
    SmallestDefect,
    read_area,
)
from anomgan.cli.say import say
from anomgan.cli.words import (
    describe_highest,
    describe_promise,
    describe_recalibration,
    describe_roi,
    describe_scale,
)
from anomgan.errors import InputError


def recalibrate(
    normal_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of new images of good parts, none of them a training image. Without it, "
            "only --false-alarm-rate is changed."
        ),
    ] = None,
    model: Model = DEFAULT_MODEL,
    out: Annotated[
        Path | None,
        typer.Option(help="Model folder to write. Default: replace the model itself."),
    ] = None,
    groups: Groups = None,
    roi: Roi = None,
    pixels_per_mm: PixelsPerMm = None,
    smallest_defect: SmallestDefect = None,
    false_alarm_rate: Annotated[
        float | None,
        typer.Option(help="Share of good images that may be called anomalous. Default: no change."),
    ] = None,
    skip_unreadable: SkipUnreadable = False,
    device: Device = "auto",
) -> None:
    """Calibrate a model on new good images, or change its false-alarm rate, without training.

    Use new images for a line whose scores have drifted. All of them are used for calibration. The
    old calibration is replaced at the end.
    """
    from anomgan.detectors import load
    from anomgan.detectors.exported import is_exported
    from anomgan.model_files import check_target, read_history

    if is_exported(model):
        raise InputError(f"{model} only scores; recalibrate its model folder, and export again")
    out = out or model
    check_target(out)
    if normal_dir is None:
        if false_alarm_rate is None or groups or roi or pixels_per_mm or smallest_defect:
            raise InputError(
                "there are no images to recalibrate on: give --normal-dir new_ok/, or give "
                "--false-alarm-rate alone to keep the images that the model was calibrated on"
            )
        _change_rate(model, out, false_alarm_rate)
        return
    detector = load(model, device)
    scale = pixels_per_mm or detector.settings.score.pixels_per_mm
    detector.recalibrate(
        normal_dir,
        groups=groups,
        roi=roi,
        pixels_per_mm=pixels_per_mm,
        smallest_defect=None if smallest_defect is None else read_area(smallest_defect, scale),
        false_alarm_rate=false_alarm_rate,
        skip_unreadable=skip_unreadable,
    )
    fitted = detector.fitted
    fitted.history = read_history(model)
    detector.save(out)
    for line in (
        *describe_recalibration(fitted.facts),
        *describe_roi(detector.roi),
        *describe_scale(detector.settings.score.model_dump()),
        *describe_promise(fitted.calibration, recalibrated=True),
        *describe_highest(fitted.facts, fitted.calibration),
        f"Model: {out}/",
    ):
        say(line)


def _change_rate(model: Path, out: Path, rate: float) -> None:
    from anomgan.detectors.model_folder import change_rate

    calibration = change_rate(model, out, rate)
    for line in (*describe_promise(calibration, recalibrated=True), f"Model: {out}/"):
        say(line)
