"""`anomgan recalibrate` as a job: load, calibrate on new good images, replace the model folder."""

from pathlib import Path

from anomgan.detectors import load
from anomgan.inspection.cards import describe_promise, describe_recalibration
from anomgan.model_files import check_target, read_history


def recalibrate_folder(
    model: Path,
    normal_dir: Path,
    out: Path,
    *,
    groups: Path | None = None,
    false_alarm_rate: float | None = None,
    skip_unreadable: bool = False,
    device: str = "auto",
) -> str:
    """Recalibrate the model in `model`, write it to `out`, and say what it promises now.

    Raises:
        ModelError: the model cannot be loaded.
        InputError: the images or the table cannot be used, or `out` holds something else.
        SettingsError: the rate or the device cannot be used.
    """
    check_target(out)
    detector = load(model, device)
    detector.recalibrate(
        normal_dir,
        groups=groups,
        false_alarm_rate=false_alarm_rate,
        skip_unreadable=skip_unreadable,
    )
    fitted = detector.fitted
    assert fitted is not None
    fitted.history = read_history(model)
    detector.save(out)
    lines = [
        *describe_recalibration(fitted.facts),
        *describe_promise(fitted.calibration),
        f"Model: {out}/",
    ]
    return "\n".join(lines)
