"""`anomgan fit` as a job: settings from all sources, checkpoints, model folder, summary."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anomgan.detectors import METHODS
from anomgan.detectors.base import Detector
from anomgan.inspection.cards import describe_promise, describe_space, describe_training
from anomgan.inspection.plan import describe_plan
from anomgan.inspection.runs import gather_settings, take_method, work_folder
from anomgan.machine.distributed import process_group

DEFAULT_DETECTOR, DEFAULT_SPACE = "ganomaly", "features"


def make_detector(
    name: str | None,
    config: Path | None,
    assignments: Sequence[str],
    options: Mapping[str, Any],
    device: str,
) -> Detector:
    """An unfitted detector from a settings file, `--set` assignments and options; later ones win.

    Args:
        name: of the detector; None takes the settings file's, or the default.
        config: TOML file.
        assignments: "section.key=value".
        options: values by "section.key"; None where not given.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        SettingsError: names every setting that is unknown or out of range.
    """
    values = gather_settings(config, assignments, options)
    if name is None and "detector" not in values:
        values.setdefault("space", DEFAULT_SPACE)
    chosen = take_method(values, "detector", name, list(METHODS), DEFAULT_DETECTOR)
    return METHODS[chosen].from_settings(values, device)


def fit_to_folder(
    detector: Detector,
    normal_dir: Path,
    out: Path,
    *,
    groups: Path | None = None,
    resume: bool = False,
    skip_unreadable: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> str | None:
    """Fit, save to `out`, and say what was learnt.

    Checkpoints live in `<out>.training` beside the model folder until the model is saved. Of the
    processes that `torchrun` starts, each reads the images, trains and calibrates, and the first
    one alone saves and has something to say.

    Raises:
        InputError: `out` cannot be used, an earlier fit is unfinished, or the images are bad.
    """
    with process_group(), work_folder(out, "fit", resume) as work:
        if work is not None:
            for line in describe_plan(detector, normal_dir):
                say(line)
        detector.fit(
            normal_dir,
            groups=groups,
            work_folder=work,
            resume=resume,
            skip_unreadable=skip_unreadable,
        )
        if work is None:
            return None
        detector.save(out)
    return summarise(detector, out)


def summarise(detector: Detector, out: Path) -> str:
    """What a fit learnt, what its threshold promises, and where things are."""
    fitted = detector.fitted
    assert fitted is not None
    lines = [
        *describe_training(detector.settings.detector, fitted.facts),
        *describe_space(fitted.facts),
        *_describe_discriminator(fitted.history),
        *describe_promise(fitted.calibration),
        f"Model: {out}/  (samples.png and calibration.png show what it learnt)",
        f"Next:  anomgan score --model {out} --image part.png --heatmap",
    ]
    return "\n".join(lines)


def _describe_discriminator(history: Sequence[Mapping[str, float]]) -> list[str]:
    shares = [row["discriminator_trains"] for row in history if "discriminator_trains" in row]
    if not shares or min(shares) == 1:
        return []
    held = 1 - sum(shares) / len(shares)
    return [f"The discriminator was winning and sat out {held:.0%} of the steps (history.csv)."]
