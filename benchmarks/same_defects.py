"""The picture of README.md: the same defects on rendered parts, seen by each detector.

    python benchmarks/same_defects.py
"""

import argparse
import tempfile
from pathlib import Path

from study import RESULTS, make

from anomgan.data.decode import read_image
from anomgan.data.folders import list_images
from anomgan.data.parts import DEFECTS, write_line
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
        paths = [list_images(parts / "test" / defect)[0] for defect in DEFECTS]
        rows = [[read_image(path)] for path in paths]
        for name in DETECTORS:
            budget = {"training": {"minutes": MINUTES}}
            detector = make(f"{name}_parts.toml", 0, options.device, budget)
            detector.fit(parts / "train" / "good")
            for row, path in zip(rows, paths, strict=True):
                # In units of the threshold: all detectors on one scale.
                result = detector.score(path)
                row.append((result.heatmap / result.heat_threshold).clip(0, 2))
            print(name, flush=True)
        labels = [name.replace("_", "-") for name in DETECTORS]
        save_grid(
            RESULTS / "same_defects.png", rows, ("part", *labels), DEFECTS,
            "The same defects, seen by each detector (white: twice its threshold)",
        )


if __name__ == "__main__":
    main()
