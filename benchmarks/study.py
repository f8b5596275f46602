"""What all studies share: a cell is fitted, scored, measured and kept as one JSON line."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anomgan.config import merge, read_toml
from anomgan.data.normals import Source
from anomgan.detectors import DETECTORS
from anomgan.detectors.base import Detector
from anomgan.metrics.detection import auroc, average_precision, best_f1, fpr_at_95_tpr

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DATA = Path(os.environ.get("ANOMGAN_DATA", ROOT.parent / "shared" / "data"))
PACKAGES = ("anomgan", "torch", "torchvision", "numpy", "scikit-learn")
Cell = dict[str, Any]


def make(
    config: str, seed: int, device: str, changes: Mapping[str, Any] | None = None
) -> Detector:
    """The detector of a settings file in configs/, with some settings changed."""
    values = merge(read_toml(ROOT / "configs" / config), changes or {}, {"seed": seed})
    return DETECTORS[values.pop("detector")](device=device, **values)


def is_done(study: str, **key: Any) -> bool:
    """Whether the study has a cell with these values already."""
    return any(all(cell[name] == value for name, value in key.items()) for cell in read(study))


def read(study: str) -> list[Cell]:
    """All cells of a study so far."""
    path = RESULTS / f"{study}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def keep(study: str, cell: Cell) -> None:
    """Append a cell; a line is written at once and never changed."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / f"{study}.jsonl").open("a") as file:
        file.write(json.dumps({"study": study} | cell) + "\n")
    print(cell["detector"], cell["category"], f"AUROC {cell['image_auroc']:.4f}", flush=True)


def run_cell(
    detector: Detector,
    normals: Sequence[Source],
    images: Sequence[Source],
    kinds: Sequence[str],
    *,
    groups: Path | None = None,
    **about: Any,
) -> Cell:
    """Fit on `normals`, score `images`, and measure; kind "good" is normal, all else a defect."""
    detector.fit(normals, groups=groups)
    began = time.perf_counter()
    results = list(detector.score_each(images))
    seconds = time.perf_counter() - began
    labels = np.array([kind != "good" for kind in kinds], int)
    scores = np.array([result.score for result in results])
    alarms = np.array([result.is_anomalous for result in results])
    fitted = detector.fitted
    assert fitted is not None
    facts = fitted.facts
    good = scores[labels == 0]
    per_defect = {}
    for kind in sorted(set(kinds) - {"good"}):
        bad = scores[[k == kind for k in kinds]]
        per_defect[kind] = auroc([0] * len(good) + [1] * len(bad), [*good, *bad])
    return {
        **about,
        "detector": detector.settings.detector,
        "seed": detector.settings.seed,
        "n_train": facts["training_images"],
        "n_calibration": facts["calibration_images"],
        "n_test_normal": int((labels == 0).sum()),
        "n_test_anomalous": int(labels.sum()),
        "image_auroc": auroc(labels, scores),
        "image_ap": average_precision(labels, scores),
        "image_f1_max": best_f1(labels, scores),
        "fpr_at_95_tpr": fpr_at_95_tpr(labels, scores),
        "false_alarm_rate_target": fitted.calibration.false_alarm_rate,
        "false_alarm_rate_observed": float(alarms[labels == 0].mean()),
        "pixel_auroc": None,
        "pixel_aupro_0.3": None,
        "per_defect": per_defect,
        "fit_seconds": facts["seconds"],
        "fit_steps": facts["steps"],
        "score_ms_per_image": 1000 * seconds / len(images),
        **environment(detector),
    }


def environment(detector: Detector) -> Cell:
    """Where and with what a figure was measured."""
    versions = {name: version(name) for name in PACKAGES}
    return {
        "device": str(detector.device),
        "threads": torch.get_num_threads(),
        "versions": versions | {"python": platform.python_version()},
        "commit": _commit(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )
    return done.stdout.strip()
