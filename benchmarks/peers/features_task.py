"""What the sides of the comparison on features are given and report. Needs no package."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from measured import Figures, peak_megabytes

SIDE = 512
"""Pixels; the development sets are that large."""


def test_images(folder: Path) -> list[Path]:
    """The test images of a set, in the order in which both sides score them."""
    return sorted(path for path in (folder / "test").rglob("*") if path.is_file())


def parts_table(folder: Path) -> Path | None:
    """The table of images that show one part; None for most sets, which have none."""
    table = folder / "tiles.csv"
    return table if table.exists() else None


def timed(score: Callable[[Path], float], paths: list[Path]) -> tuple[Figures, list[float]]:
    """Score images with their heatmaps one by one; the first ones are not timed."""
    for path in paths[:3]:
        score(path)
    scores, seconds = [], []
    for path in paths:
        began = time.perf_counter()
        scores.append(score(path))
        seconds.append(time.perf_counter() - began)
    figures = {
        "score_images_per_second": len(paths) / sum(seconds),
        "score_ms_median": 1000 * sorted(seconds)[len(seconds) // 2],
        "score_megabytes": peak_megabytes(),
    }
    return figures, scores


def main(jobs: dict[str, Callable[[Path, Path, str], object]]) -> None:
    """Do the job that the command line names, and print what it found as JSON."""
    job, folder, model, option = sys.argv[1:]
    print(json.dumps(jobs[job](Path(folder), Path(model), option)))
