"""`anomgan demo`: renders parts, fits, scores, measures, and saves pictures of the results."""

from pathlib import Path
from typing import Annotated

import typer

from anomgan.cli.options import Device
from anomgan.cli.say import print_table, say

NORMAL, TEST_NORMAL, PER_DEFECT = 140, 40, 10
STEPS = 120
FALSE_ALARM_RATE = 0.03


def demo(
    out: Annotated[Path, typer.Option(help="Folder for images, model and pictures.")] = Path(
        "anomgan-demo"
    ),
    seed: Annotated[int, typer.Option(help="Seed for the rendered parts and the training.")] = 0,
    device: Device = "auto",
) -> None:
    """Render images of machined parts, fit a detector to the good ones, and find the defects.

    It takes about a minute on two CPU cores.
    """
    from anomgan.cli.fit import summarise
    from anomgan.data.flange import DEFECTS, write_line
    from anomgan.data.own_files import refuse_to_overwrite
    from anomgan.data.public_sets import read_test
    from anomgan.detectors.ganomaly import GANomaly
    from anomgan.errors import InputError
    from anomgan.evaluation.evaluate import evaluate
    from anomgan.evaluation.report import check_report, kind_rows, write_report
    from anomgan.inspection.scorer import write_overlay
    from anomgan.model_files import check_target

    parts, model = out / "parts", out / "anomgan-model"
    if out.exists() and (out.is_file() or (any(out.iterdir()) and not parts.exists())):
        raise InputError(f"{out} exists and is not an earlier demo; choose another with --out")
    refuse_to_overwrite(*parts.rglob("*.png"))
    check_report(out)
    check_target(model)
    defective = PER_DEFECT * len(DEFECTS)
    say(f"Rendering {NORMAL + TEST_NORMAL} good parts and {defective} defective ones ...")
    write_line(parts, NORMAL, TEST_NORMAL, PER_DEFECT, seed=seed)
    say("Fitting a detector to the good parts ...")
    detector = GANomaly(
        device=device,
        seed=seed,
        space="features",
        training={"steps": STEPS},
        calibration={"false_alarm_rate": FALSE_ALARM_RATE},
    )
    detector.fit(parts / "train" / "good")
    detector.save(model)
    typer.echo(summarise(detector, model))
    evaluation = evaluate(detector, read_test(parts))
    write_report(detector, evaluation, out, "Rendered parts")
    images = reversed(evaluation.images)
    firsts = {one.kind: one.source for one in images if isinstance(one.source, Path)}
    for kind, path in firsts.items():
        target = out / "heatmaps" / f"{kind}_{path.name}"
        write_overlay(target, detector.score(path), path, path.name, detector.bits)
    print_table(("part", "images", "called anomalous", "AUROC against good"), kind_rows(evaluation))
    say(f"Look at {out}/report.html and {out}/heatmaps/")
