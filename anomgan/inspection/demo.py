"""The whole job on rendered parts: render, fit, score, measure, and show it in pictures."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from anomgan.data.decode import read_image
from anomgan.data.folders import list_images
from anomgan.data.parts import DEFECTS, write_line
from anomgan.detectors.base import Detector
from anomgan.detectors.ganomaly import GANomaly
from anomgan.detectors.result import Result
from anomgan.errors import InputError
from anomgan.inspection.fitting import summarise
from anomgan.inspection.scoring import write_overlay
from anomgan.metrics.detection import auroc, roc_points
from anomgan.pictures import save_grid, save_histogram, save_roc

NORMAL, TEST_NORMAL, PER_DEFECT = 240, 40, 10
STEPS = 700
FALSE_ALARM_RATE = 0.03


@dataclass(frozen=True)
class Scored:
    """A test image, its kind ("good" or the defect) and what the detector says."""

    kind: str
    path: Path
    result: Result


def run_demo(out: Path, *, seed: int = 0, device: str = "auto") -> float:
    """Run the demo in the folder `out`; returns the image AUROC.

    Raises:
        InputError: `out` holds something else than an earlier demo, or cannot be written to.
    """
    console = Console()
    parts = out / "parts"
    if out.exists() and (out.is_file() or (any(out.iterdir()) and not parts.exists())):
        raise InputError(f"{out} exists and is not an earlier demo; choose another with --out")
    defective = PER_DEFECT * len(DEFECTS)
    console.print(f"Rendering {NORMAL + TEST_NORMAL} good parts and {defective} defective ones ...")
    write_line(parts, NORMAL, TEST_NORMAL, PER_DEFECT, seed=seed)
    console.print("Learning the good parts ...")
    settings = {
        "training": {"steps": STEPS},
        "calibration": {"false_alarm_rate": FALSE_ALARM_RATE},
    }
    detector = GANomaly(device=device, seed=seed, **settings).fit(parts / "train" / "good")
    detector.save(out / "anomgan-model")
    console.print(summarise(detector, out / "anomgan-model"))
    scored = [
        Scored(kind, path, detector.score(path))
        for kind in ("good", *DEFECTS)
        for path in list_images(parts / "test" / kind)
    ]
    _draw(out, scored, detector)
    console.print(_table(scored))
    console.print(
        f"Heatmaps, histogram and ROC are in {out}/: contact_sheet.png, scores.png, roc.png, "
        f"heatmaps/"
    )
    return _auroc(scored, DEFECTS)


def _auroc(scored: list[Scored], kinds: tuple[str, ...]) -> float:
    some = [s for s in scored if s.kind == "good" or s.kind in kinds]
    return auroc([s.kind != "good" for s in some], [s.result.score for s in some])


def _table(scored: list[Scored]) -> Table:
    table = Table("part", "images", "called anomalous", "AUROC against good")
    for kind in ("good", *DEFECTS):
        verdicts = [s.result.is_anomalous for s in scored if s.kind == kind]
        area = f"{_auroc(scored, (kind,)):.3f}" if kind != "good" else ""
        table.add_row(kind, str(len(verdicts)), str(sum(verdicts)), area)
    table.add_section()
    found = sum(s.result.is_anomalous for s in scored if s.kind != "good")
    defective = sum(s.kind != "good" for s in scored)
    table.add_row("all defects", str(defective), str(found), f"{_auroc(scored, DEFECTS):.3f}")
    return table


def _draw(out: Path, scored: list[Scored], detector: Detector) -> None:
    labels = np.array([s.kind != "good" for s in scored])
    scores = np.array([s.result.score for s in scored])
    groups = {"good": scores[~labels], "defective": scores[labels]}
    threshold = scored[0].result.threshold
    save_histogram(out / "scores.png", groups, threshold, "Scores of rendered parts")
    curve = (*roc_points(labels, scores), auroc(labels, scores))
    save_roc(out / "roc.png", {"ganomaly": curve}, "Rendered parts")
    firsts = {s.kind: s for s in reversed(scored)}
    rows = []
    for kind in ("good", *DEFECTS):
        seen = firsts[kind]
        image = read_image(seen.path)
        mask_path = out / "parts" / "ground_truth" / kind / f"{seen.path.stem}_mask.png"
        mask = np.zeros_like(image) if kind == "good" else read_image(mask_path)
        rebuilt = cv2.resize(seen.result.reconstruction, image.shape[1::-1])
        rows.append((image, rebuilt, seen.result.heatmap, mask))
        name = f"{kind}_{seen.path.name}"
        write_overlay(out / "heatmaps" / name, seen.result, seen.path, detector.bits)
    columns = ("photograph", "rebuilt (light evened)", "heatmap", "true mask")
    save_grid(out / "contact_sheet.png", rows, columns, ("good", *DEFECTS))
