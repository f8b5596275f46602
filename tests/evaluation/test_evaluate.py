import csv
import json
import re

import numpy as np
import pytest
from conftest import TINY
from sklearn.metrics import average_precision_score, roc_auc_score

from anomgan import GANomaly
from anomgan.data.decode import read_image
from anomgan.data.folders import list_images
from anomgan.data.public_sets import GOOD, LabelledImage, read_folder, read_test
from anomgan.errors import InputError
from anomgan.evaluation.evaluate import evaluate
from anomgan.evaluation.report import write_report


@pytest.fixture(scope="module")
def detector(line):
    return GANomaly(device="cpu", **TINY).fit(line / "train" / "good")


def test_figures_are_those_of_an_independent_computation(detector, line):
    images = read_folder(line).test
    evaluation = evaluate(detector, images)
    results = [detector.score(image.source) for image in images]
    labels = [image.kind != "good" for image in images]
    scores = [result.score for result in results]
    figures = evaluation.figures()
    assert figures["image_auroc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-6)
    assert figures["image_ap"] == pytest.approx(average_precision_score(labels, scores), abs=1e-6)
    low, high = figures["image_auroc_95"]
    assert low <= figures["image_auroc"] <= high
    masks = [
        np.zeros(r.heatmap.shape, bool) if i.mask is None else read_image(i.mask) > 0
        for i, r in zip(images, results, strict=True)
    ]
    pixels = np.concatenate([mask.ravel() for mask in masks])
    heat = np.concatenate([result.heatmap.ravel() for result in results])
    assert figures["pixel_auroc"] == pytest.approx(roc_auc_score(pixels, heat), abs=1e-6)
    assert 0 <= figures["pixel_aupro_0.3"] <= 1
    alarms = [r.is_anomalous for r, bad in zip(results, labels, strict=True) if not bad]
    assert figures["false_alarm_rate_observed"] == pytest.approx(np.mean(alarms))
    assert set(figures["per_defect"]) == {"scratch", "dent", "stain", "chip"}


def test_good_images_that_were_learnt_from_are_counted(detector, line):
    learnt = [LabelledImage(read_image(path), GOOD) for path in list_images(line / "train")]
    bad = [image for image in read_folder(line).test if image.is_anomalous]
    assert evaluate(detector, [*learnt, *bad]).learnt == 18
    assert evaluate(detector, read_folder(line).test).learnt == 0


def test_intervals_draw_whole_parts(detector, line, tmp_path):
    images = read_folder(line).test
    table = tmp_path / "parts.csv"
    rows = [f"{image.source},{image.kind}" for image in images]
    table.write_text("file,part\n" + "\n".join(rows) + "\n")
    grouped = evaluate(detector, images, table)
    assert set(grouped.groups) == {"good", "scratch", "dent", "stain", "chip"}
    assert (
        grouped.figures()["image_auroc_95"]
        != evaluate(detector, images).figures()["image_auroc_95"]
    )


def test_a_report_is_one_file_with_all_pictures(detector, line, tmp_path):
    out = tmp_path / "report"
    evaluation = evaluate(detector, read_test(line))
    write_report(detector, evaluation, out, "rendered <parts>")
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 6
    # The letters of a picture may spell it by chance.
    text = re.sub(r"base64,[^\"]*", "", page)
    assert "http" not in text and "rendered &lt;parts&gt;" in text
    figures = json.loads((out / "figures.json").read_text())
    assert figures["image_auroc"] == evaluation.figures()["image_auroc"]
    rows = list(csv.DictReader((out / "scores.csv").open()))
    assert len(rows) == 15 and {row["verdict"] for row in rows} <= {"ok", "anomalous"}
    assert not list(out.glob(".*"))


def test_without_defects_there_is_nothing_to_measure(detector, line):
    good = [image for image in read_test(line) if not image.is_anomalous]
    with pytest.raises(InputError, match="both needed"):
        evaluate(detector, good).figures()
