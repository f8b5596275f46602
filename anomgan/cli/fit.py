"""`anomgan fit`: fits a detector to images of good parts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomgan.cli.options import (
    DEFAULT_MODEL,
    Device,
    Groups,
    LogDir,
    PixelsPerMm,
    Roi,
    SkipUnreadable,
    SmallestDefect,
    TrainingSeed,
    read_area,
)
from anomgan.cli.say import argument, say, text_of
from anomgan.cli.words import (
    describe_highest,
    describe_promise,
    describe_roi,
    describe_scale,
    describe_space,
    describe_training,
)

if TYPE_CHECKING:
    from anomgan.detectors.base import Detector

DEFAULT_DETECTOR, DEFAULT_SPACE = "ganomaly", "features"

NormalDir = Annotated[Path, typer.Option(help="Folder of images of good parts.")]
DetectorName = Annotated[
    str | None,
    typer.Option(
        help="Detector; see: anomgan detectors. Default: that of the settings file, or ganomaly in "
        "feature space."
    ),
]
Space = Annotated[
    str | None,
    typer.Option(
        help="pixels, or features of a pretrained network. Default: that of the settings file; "
        "features if neither --detector nor --config is given; otherwise pixels."
    ),
]
Backbone = Annotated[
    str | None,
    typer.Option(
        help="Pretrained network for feature space, or several, separated by commas; see: "
        "anomgan backbones. Default: lite0."
    ),
]
Align = Annotated[
    str | None,
    typer.Option(
        help="auto: use positions if parts always lie in the same place; none: never. "
        "Default: auto."
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(help="Settings file (TOML), or the name of a shipped one: ganomaly_paper."),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting, such as training.steps=3000. May be repeated."),
]
FalseAlarmRate = Annotated[
    float | None,
    typer.Option(help="Share of good images that may be called anomalous. Default: 0.01."),
]
Steps = Annotated[
    int | None,
    typer.Option(
        help="Training steps. Those of an encoder that is trained after the GAN change in "
        "proportion, unless --set encoder.steps=... is given."
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(help="Minutes at most for each training phase, of all networks together."),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue a fit that was stopped, from its checkpoint.")
]


def fit(
    normal_dir: NormalDir,
    detector: DetectorName = None,
    space: Space = None,
    backbone: Backbone = None,
    align: Align = None,
    config: Config = None,
    assignments: Assignments = None,
    out: Annotated[Path, typer.Option(help="Model folder to write.")] = DEFAULT_MODEL,
    groups: Groups = None,
    roi: Roi = None,
    pixels_per_mm: PixelsPerMm = None,
    smallest_defect: SmallestDefect = None,
    false_alarm_rate: FalseAlarmRate = None,
    steps: Steps = None,
    minutes: Minutes = None,
    seed: TrainingSeed = None,
    device: Device = "auto",
    resume: Resume = False,
    skip_unreadable: SkipUnreadable = False,
    log_dir: LogDir = None,
) -> None:
    """Fit a detector to images of good parts.

    Each image is scored by networks that have not learnt from it. These scores give the threshold
    and its false-alarm rate. The model folder is written at the end. Ctrl-C or SIGTERM saves a
    checkpoint for --resume.
    """
    options = {
        "seed": seed,
        "space": space,
        "backbone.name": backbone,
        "backbone.align": align,
        "calibration.false_alarm_rate": false_alarm_rate,
        "training.steps": steps,
        "training.minutes": minutes,
        "score.pixels_per_mm": pixels_per_mm,
        "score.smallest_defect": smallest_defect and read_area(smallest_defect, pixels_per_mm),
    }
    fit_to_folder(
        make_detector(detector, config, assignments or [], options, device),
        normal_dir,
        out,
        groups=groups,
        roi=roi,
        resume=resume,
        skip_unreadable=skip_unreadable,
        log_dir=log_dir,
    )


def make_detector(
    name: str | None,
    config: Path | None,
    assignments: Sequence[str],
    options: Mapping[str, Any],
    device: str,
) -> "Detector":
    """Make an unfitted detector from a settings file, `--set` assignments and options.

    Options win over assignments, and assignments over the file.

    Args:
        name: of the detector; None for that of the settings file, or the default.
        config: TOML file.
        assignments: "section.key=value".
        options: values by "section.key"; None if not given.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        SettingsError: names every setting that is unknown or out of range.
    """
    from anomgan.cli.runs import gather_settings, take_method
    from anomgan.detectors import METHODS

    steps = options.get("training.steps")
    values = gather_settings(config, assignments, {**options, "training.steps": None})
    if name is None and "detector" not in values:
        values.setdefault("space", DEFAULT_SPACE)
    kind = METHODS[take_method(values, "detector", name, list(METHODS), DEFAULT_DETECTOR)]
    if steps is not None:
        values = _with_steps(kind, values, steps, assignments)
    return kind.from_settings(values, device)


def _with_steps(
    kind: "type[Detector]", values: Mapping[str, Any], steps: int, assignments: Sequence[str]
) -> dict[str, Any]:
    """Set the training steps; those of an encoder that is trained after a GAN follow.

    Args:
        kind: of detector.
        values: settings without `--steps`.
        steps: of `--steps`.
        assignments: "section.key=value"; one of them may give the encoder's steps.
    """
    from anomgan.config_files import parse_assignments
    from anomgan.config_values import build_settings, merge
    from anomgan.detectors.f_anogan import GANFirstSettings

    changes = {"training": {"steps": steps}}
    usual = build_settings(kind.settings_type, values)
    given = parse_assignments(assignments).get("encoder", {})
    if isinstance(usual, GANFirstSettings) and "steps" not in given:
        in_proportion = round(usual.encoder.steps * steps / usual.training.steps)
        changes["encoder"] = {"steps": max(1, in_proportion)}
    return merge(values, changes)


def fit_to_folder(
    detector: "Detector",
    normal_dir: Path,
    out: Path,
    *,
    groups: Path | None = None,
    roi: str | None = None,
    resume: bool = False,
    skip_unreadable: bool = False,
    log_dir: Path | None = None,
) -> None:
    """Print a plan, fit, save to `out`, and print a summary.

    Checkpoints are kept in `<out>.training`, beside the model folder, until the model is saved.
    With `torchrun`, every process reads the images, trains and calibrates; only the first one saves
    and prints.

    Raises:
        InputError: `out` or the images cannot be used, or an earlier fit is unfinished.
        SettingsError: `log_dir` is given, and TensorBoard is not installed.
    """
    from anomgan.cli.check import describe_glance
    from anomgan.cli.plan import describe_plan
    from anomgan.cli.runs import work_folder
    from anomgan.data.folders import list_images
    from anomgan.machine.distributed import process_group
    from anomgan.training.tensorboard import tensorboard_log

    with (
        process_group(),
        tensorboard_log(log_dir) as log,
        work_folder(out, "fit", resume) as work,
    ):
        if work is not None:
            paths = list_images(normal_dir)
            plan = describe_plan(detector, paths)  # first: a wrong backbone needs no look at images
            for line in (*describe_glance(normal_dir, paths), *plan):
                say(line)
        detector.fit(
            normal_dir,
            groups=groups,
            roi=roi,
            work_folder=work,
            resume=resume,
            skip_unreadable=skip_unreadable,
        )
        if work is None:
            return
        detector.save(out)
        if log is not None:
            for picture in sorted(out.glob("*.png")):
                log.show(picture.stem, picture)
    typer.echo(summarise(detector, out))


def summarise(detector: "Detector", out: Path) -> str:
    """Summarise a fit: the training, the false-alarm rate, and where the model is."""
    fitted = detector.fitted
    lines = [
        *describe_training(detector.settings.detector, fitted.facts),
        *describe_space(fitted.facts),
        *describe_roi(detector.roi),
        *describe_scale(detector.settings.score.model_dump()),
        *_describe_discriminator(fitted.history),
        *describe_promise(fitted.calibration),
        *describe_highest(fitted.facts, fitted.calibration),
        f"Model: {out}/  (see samples.png and calibration.png)",
        f"Next:  anomgan score --model {argument(out)} --image part.png --heatmap",
    ]
    return text_of(lines)


def _describe_discriminator(history: Sequence[Mapping[str, float]]) -> list[str]:
    shares = [row["discriminator_trains"] for row in history if "discriminator_trains" in row]
    if not shares or min(shares) == 1:
        return []
    held = 1 - sum(shares) / len(shares)
    return [f"The discriminator was winning and skipped {held:.0%} of the steps (history.csv)."]
