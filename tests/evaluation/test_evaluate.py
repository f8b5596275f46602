import csv
import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from conftest import TINY
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from anomgan import GANomaly
from anomgan.data.decode import read_image
from anomgan.data.folders import list_images
from anomgan.data.public_sets import GOOD, LabelledImage, read_folder, read_test
from anomgan.errors import InputError
from anomgan.evaluation.evaluate import evaluate
from anomgan.evaluation.report import mask_lines, write_report


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


def test_an_image_that_cannot_be_scored_is_named(detector, line, tmp_path):
    small = tmp_path / "small.png"
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(small)
    images = [*read_folder(line).test, LabelledImage(small, GOOD)]
    with pytest.raises(InputError, match="small.png: image is 4 x 4 pixels"):
        evaluate(detector, images)


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
    bad, alarms = evaluation.labels == 1, evaluation.alarms
    sheets = [bad & ~alarms, ~bad & alarms, bad & alarms]
    assert page.count("data:image/png;base64,") == 3 + sum(some.any() for some in sheets)
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


def with_mask(images, number, path, pixels):
    """The images, the mask of one of which is another."""
    assert cv2.imwrite(str(path), pixels)
    return [replace(im, mask=path) if n == number else im for n, im in enumerate(images)]


def test_empty_and_scaled_masks_are_counted_and_said(detector, line, tmp_path):
    images = read_test(line)
    first, second = [n for n, image in enumerate(images) if image.is_anomalous][:2]
    images = with_mask(images, first, tmp_path / "empty.png", np.zeros((96, 96), np.uint8))
    images = with_mask(images, second, tmp_path / "small.png", np.full((48, 48), 1, np.uint8))
    evaluation = evaluate(detector, images)
    defective = sum(image.is_anomalous for image in images)
    assert mask_lines(evaluation) == [
        f"masks: {defective} for {defective} defective images",
        f"masks that show no defect: 1, such as {tmp_path / 'empty.png'}",
        f"masks scaled to the size of their image: 1, such as {tmp_path / 'small.png'}",
    ]
    assert evaluation.pixel_auroc is not None


def test_masks_that_are_all_empty_leave_the_figures_of_images(detector, line, tmp_path):
    images = [image for image in read_test(line) if not image.is_anomalous or "dent" in image.kind]
    for number, image in enumerate(images):
        if image.is_anomalous:
            path = tmp_path / f"{number}.png"
            images = with_mask(images, number, path, np.zeros((96, 96), np.uint8))
    evaluation = evaluate(detector, images)
    assert evaluation.pixel_auroc is None and evaluation.figures()["image_auroc"] >= 0
    assert len(evaluation.masks.empty) == len(evaluation.masks.found) > 0


def test_examples_are_what_their_headings_say_and_are_named(detector, line, tmp_path):
    odd = tmp_path / "<a>\nb.png"
    odd.write_bytes(list_images(line / "test" / "good")[0].read_bytes())
    evaluation = evaluate(detector, [LabelledImage(odd, "good"), *read_test(line)])
    alarms = np.zeros(len(evaluation.images), bool)
    for missed in (False, True):
        alarms[0] = missed  # the odd one, a good image
        write_report(detector, replace(evaluation, alarms=alarms), tmp_path / "out", "parts")
        page = (tmp_path / "out" / "report.html").read_text()
        text = re.sub(r"base64,[^\"]*", "", page)
        _, misses, false, hits = re.split("Worst misses|Worst false|Best hits", plain(text))
        assert "There are none" in hits
        assert misses.count("<li>") == 5 and "(5 of 12)" in misses and "/test/good/" not in misses
        assert ("There are none" in false) is not missed
        assert (r"&lt;a&gt;\x0ab.png</li>" in false) is missed and "/good/" not in false


def plain(page):
    """A page without what pictures are called for those who cannot see them."""
    return re.sub('<img alt="[^"]*"', "<img", page)
