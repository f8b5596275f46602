"""Writes an evaluation as one HTML file that can be sent on: figures, curves, pictures."""

import csv
import html
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from anomgan.data.decode import read_image, reduced, to_uint8
from anomgan.data.normals import name_of
from anomgan.data.own_files import JSON, SCORES, refuse_to_overwrite
from anomgan.data.public_sets import read_mask
from anomgan.detectors.base import Detector
from anomgan.evaluation.evaluate import Evaluation
from anomgan.evaluation.page import embedded, page, paragraph, table
from anomgan.machine.files import atomic_path, make_folder
from anomgan.machine.names import escaped, escaped_cell
from anomgan.metrics.detection import auroc, average_precision, precision_recall_points, roc_points
from anomgan.pictures import save_grid, save_histogram, save_precision_recall, save_roc

TABLE, FIGURES, REPORT = "scores.csv", "figures.json", "report.html"
EXAMPLES = 5
"""Images in each part of the contact sheet."""
IN_A_ROW = 28
"""Characters of a file name beside a row of the contact sheet."""
SIDE = 256
"""Longer side of a picture in the contact sheet, in pixels."""
EXPLAINED = {
    "image_auroc": "image AUROC",
    "image_auroc_95": "its 95% bootstrap interval",
    "image_ap": "average precision",
    "image_f1_max": "best F1 over all thresholds",
    "fpr_at_95_tpr": "false alarms where 95% of the defects are found",
    "false_alarm_rate_target": "false-alarm rate promised",
    "false_alarm_rate_observed": "false-alarm rate observed",
    "detected": "defective images called anomalous",
    "pixel_auroc": "pixel AUROC",
    "pixel_aupro_0.3": "AUPRO up to 0.3 false-positive rate",
    "score_ms_per_image": "milliseconds per image",
}


class _Part(NamedTuple):
    """A heading of a report, a picture if there is one, and the files that it shows."""

    heading: str
    picture: Path | None
    names: Sequence[str] = ()


def check_report(out: Path) -> None:
    """Make the folder `out`, or refuse it before anything is measured.

    Raises:
        InputError: it cannot be made, or a file that anomgan did not write would be replaced.
    """
    make_folder(out)
    refuse_to_overwrite(*(out / name for name in (TABLE, FIGURES, REPORT)))


def write_report(detector: Detector, evaluation: Evaluation, out: Path, title: str) -> None:
    """Write `report.html`, `figures.json` and `scores.csv` to the folder `out`.

    Args:
        detector: the one that was evaluated; it scores the shown images again.
        evaluation: its results.
        out: folder; created, and the three files of an earlier report replaced.
        title: what was evaluated.

    Raises:
        InputError: as `check_report`, or the disk is full.
    """
    check_report(out)
    figures = evaluation.figures()
    title = html.escape(escaped(title))
    with atomic_path(out / TABLE) as temporary:
        _write_scores(evaluation, temporary)
    with atomic_path(out / FIGURES) as temporary:
        temporary.write_text(json.dumps(JSON | figures, indent=1) + "\n", encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        parts = _draw(detector, evaluation, Path(scratch))
        body = [
            f"<h1>{title}</h1>",
            f"<p>{figures['n_test_normal']} good and {figures['n_test_anomalous']} defective "
            f"images, scored by {html.escape(detector.settings.detector)}.</p>",
            table([(text, figure_text(figures[name])) for name, text in EXPLAINED.items()]),
            *map(paragraph, mask_lines(evaluation)),
            "<h2>By kind of defect</h2>",
            table(kind_rows(evaluation), ("kind", "images", "called anomalous", "AUROC")),
        ]
        body += map(_part_html, parts)
    with atomic_path(out / REPORT) as temporary:
        temporary.write_text(page(title, body), encoding="utf-8")


def kind_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """Kind, images, how many were called anomalous, AUROC against good; all defects last."""
    labels, alarms = evaluation.labels, evaluation.alarms
    good = labels == 0
    rows: list[tuple[str, ...]] = [("good", str(good.sum()), str(alarms[good].sum()), "")]
    for kind in evaluation.kinds:
        some = evaluation.of_kind(kind)
        area = f"{evaluation.kind_auroc(kind):.3f}"
        rows.append((kind, str(some.sum()), str(alarms[some].sum()), area))
    area = f"{auroc(labels, evaluation.scores):.3f}"
    return [*rows, ("all defects", str(labels.sum()), str(alarms[~good].sum()), area)]


def mask_lines(evaluation: Evaluation) -> list[str]:
    """How many masks were found for how many images, which are empty, and which were scaled."""
    masks, defective = evaluation.masks, int(evaluation.labels.sum())
    if not masks.found:
        return [f"masks: none for {defective} defective images"]
    lines = [f"masks: {len(masks.found)} for {defective} defective images"]
    if masks.empty:
        lines.append(f"masks that show no defect: {len(masks.empty)}, such as {masks.empty[0]}")
    if masks.scaled:
        lines.append(
            f"masks scaled to the size of their image: {len(masks.scaled)}, such as "
            f"{masks.scaled[0]}"
        )
    return lines


def _draw(detector: Detector, evaluation: Evaluation, folder: Path) -> list[_Part]:
    labels, scores, alarms = evaluation.labels, evaluation.scores, evaluation.alarms
    name = detector.settings.detector
    roc, precision_recall, histogram = (folder / f"{n}.png" for n in ("roc", "pr", "scores"))
    save_roc(roc, {name: (*roc_points(labels, scores), auroc(labels, scores))}, "ROC")
    curve = (*precision_recall_points(labels, scores), average_precision(labels, scores))
    save_precision_recall(precision_recall, {name: curve}, labels.mean(), "Precision and recall")
    groups = {"good": scores[labels == 0], "defective": scores[labels == 1]}
    save_histogram(histogram, groups, evaluation.threshold, "Scores")
    parts = [
        _Part("ROC", roc),
        _Part("Precision and recall", precision_recall),
        _Part("Scores", histogram),
    ]
    rising = np.argsort(scores, kind="stable")
    falling = rising[::-1]
    bad = labels == 1
    for heading, order, shown in (
        ("Worst misses: defective images called ok", rising, bad & ~alarms),
        ("Worst false alarms: good images called anomalous", falling, ~bad & alarms),
        ("Best hits: defective images called anomalous", falling, bad & alarms),
    ):
        found = order[shown[order]]
        some = found[:EXAMPLES]
        sheet = folder / f"{len(parts)}.png" if len(some) else None
        if sheet:
            _draw_examples(detector, evaluation, some, sheet)
        text = f"{heading} ({len(some)} of {len(found)})" if sheet else heading
        parts.append(_Part(text, sheet, [escaped(_name(evaluation, index)) for index in some]))
    return parts


def _part_html(part: _Part) -> str:
    heading = html.escape(part.heading)
    if part.picture is None:
        return f"<h2>{heading}</h2><p>There are none.</p>"
    picture = f"<h2>{heading}</h2>{embedded(part.picture, part.heading)}"
    names = "".join(f"<li>{html.escape(name)}</li>" for name in part.names)
    return picture + (f"<ol>{names}</ol>" if names else "")


def _name(evaluation: Evaluation, index: int) -> str:
    return name_of(evaluation.images[index].source, index)


def _brief(name: str) -> str:
    """The file name of a path, without its middle if it is too long for a row of a picture."""
    last = escaped(Path(name).name)
    return last if len(last) <= IN_A_ROW else f"{last[:12]}…{last[13 - IN_A_ROW :]}"


def _draw_examples(
    detector: Detector, evaluation: Evaluation, some: Sequence[int], path: Path
) -> None:
    rows, names = [], []
    for index in some:
        image = evaluation.images[index]
        result = detector.score(image.source)
        photograph = image.source
        if not isinstance(photograph, np.ndarray):
            photograph = to_uint8(read_image(photograph), detector.bits)
        mask = read_mask(image, result.heatmap.shape)
        if mask is None:
            mask = np.zeros(result.heatmap.shape, bool)
        row = {"photograph": photograph, "rebuilt": result.reconstruction}
        row |= {"heatmap": result.heatmap, "true mask": mask.astype(np.uint8) * 255}
        shown = {name: reduced(one, SIDE) for name, one in row.items() if one is not None}
        rows.append(list(shown.values()))
        verdict = "anomalous" if evaluation.alarms[index] else "ok"
        name = _brief(_name(evaluation, index))
        names.append(f"{name}\n{escaped(image.kind)}\n{evaluation.scores[index]:.3g}, {verdict}")
    save_grid(path, rows, list(shown), names)


def _write_scores(evaluation: Evaluation, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(SCORES)
        for number, image in enumerate(evaluation.images):
            verdict = "anomalous" if evaluation.alarms[number] else "ok"
            row = (evaluation.scores[number], evaluation.p_values[number], verdict)
            table.writerow(
                (escaped_cell(_name(evaluation, number)), escaped_cell(image.kind), *row)
            )


def figure_text(value: float | tuple[float, float] | None) -> str:
    """A figure, or the interval of one, as text."""
    if value is None:
        return "no masks"
    if isinstance(value, tuple):
        return f"{value[0]:.3f} to {value[1]:.3f}"
    return f"{value:.3f}" if value < 10 else f"{value:.0f}"
