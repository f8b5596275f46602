"""`anomgan evaluate`: how good a model is on images whose truth is known."""

from pathlib import Path
from typing import Annotated

import typer

from anomgan.cli.options import DEFAULT_MODEL, Device, Groups, ScoringModel
from anomgan.cli.say import say


def evaluate(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with test/good, test/<defect> and, where there are masks, "
            "ground_truth/<defect> (the layout of MVTec AD)."
        ),
    ] = None,
    good_dir: Annotated[Path | None, typer.Option(help="Or: folder of good images.")] = None,
    bad_dir: Annotated[
        Path | None, typer.Option(help="And folder of defective ones, in folders by kind or not.")
    ] = None,
    mask_dir: Annotated[
        Path | None,
        typer.Option(
            help="And folder of their masks, named like them, with _mask or _gt or without."
        ),
    ] = None,
    groups: Groups = None,
    model: ScoringModel = DEFAULT_MODEL,
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("anomgan-report"),
    device: Device = "auto",
) -> None:
    """Measure a model on good and defective images: figures, curves, hits and misses.

    Writes report.html, which holds everything, figures.json and scores.csv.
    """
    from anomgan.data.public_sets import read_pair, read_test
    from anomgan.detectors import load
    from anomgan.errors import InputError
    from anomgan.evaluation.evaluate import evaluate as measure
    from anomgan.evaluation.report import (
        EXPLAINED,
        check_report,
        figure_text,
        mask_lines,
        write_report,
    )

    if data and not (good_dir or bad_dir or mask_dir):
        images, title = read_test(data), data
    elif good_dir and bad_dir and not data:
        images, title = read_pair(good_dir, bad_dir, mask_dir), bad_dir
    else:
        raise InputError("give --data ROOT, or --good-dir and --bad-dir")
    check_report(out)
    detector = load(model, device)
    evaluation = measure(detector, images, groups)
    if evaluation.learnt:
        say(
            f"WARNING: the model learnt from {evaluation.learnt} of the good images, so these "
            f"figures are better than they would be on new parts; evaluate on other images."
        )
    write_report(detector, evaluation, out, str(title))
    for line in mask_lines(evaluation):
        say(line)
    for name, value in evaluation.figures().items():
        if name in EXPLAINED and value is not None:
            say(f"{EXPLAINED[name]}: {figure_text(value)}")
    say(f"Pictures and details: {out / 'report.html'}")
