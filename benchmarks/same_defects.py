"""The picture of README.md: the same defects on rendered parts, seen by each detector.

python benchmarks/same_defects.py
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from study import RESULTS, make

from anomgan.data.decode import read_image
from anomgan.data.flange import DEFECTS, write_line
from anomgan.data.folders import list_images
from anomgan.pictures import save_grid

DETECTORS = ("restoration", "ganomaly", "egbad", "f_anogan", "anogan")
SIZE = 128
MINUTES = 2
"""Pixels of a rendered part, and training time per phase: so that all learn in 20 minutes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        parts = Path(folder)
        write_line(parts, 150, 1, 1, size=SIZE)
        good, *paths = (list_images(parts / "test" / kind)[0] for kind in ("good", *DEFECTS))
        rows = [[read_image(path)] for path in paths]
        for name in DETECTORS:
            budget = {"training": {"minutes": MINUTES}}
            detector = make(f"{name}_parts.toml", 0, options.device, budget)
            detector.fit(parts / "train" / "good")
            usual = np.median(detector.score(good).heatmap)
            for row, path in zip(rows, paths, strict=True):
                # Above what is usual, in units of the threshold: all detectors on one scale.
                result = detector.score(path)
                row.append((result.heatmap - usual) / (result.heat_threshold - usual))
            print(name, flush=True)
        labels = [name.replace("_", "-") for name in DETECTORS]
        title = "The same defects, seen by each detector (brightest: twice its threshold)"
        columns = ("part", *labels)
        save_grid(RESULTS / "same_defects.png", rows, columns, DEFECTS, title, limits=(0, 2))


if __name__ == "__main__":
    main()
