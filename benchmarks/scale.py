"""How the cost of the default grows: with the normals, with the images scored, with their size.

    python benchmarks/scale.py

Fits the default to crops of good transistors, each of another place of another photograph; scores
folders of such crops; and scores photographs of 0.1 to 50 megapixels. Each job is a process on one
thread. Its processor time is recorded beside the time on the clock, because it says nearly the same
on a busy machine. Needs Linux. A cell that is in benchmarks/results/scale.jsonl is not measured
again. The smaller cells take an hour of one core, the whole study two.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import cycle, product
from pathlib import Path
from typing import Any

import numpy as np
from line.small_line import ANOMGAN, DATA, RESULTS, measure  # which does not import torch
from PIL import Image

OUT = RESULTS / "scale.jsonl"
NORMALS, IMAGES = (100, 300, 1_000, 3_000, 10_000), (1, 100, 1_000, 10_000)
MEGAPIXELS = (0.1, 1, 10, 50)
PLAY, SIDE = 16, 496
"""Pixels by which crops of a photograph are apart at most, and their sides."""
DIFFERENT = 100
"""Crops among the images to score; the others are links to them."""
REPEATED = 11
"""Photographs of a size: what more than one of them take is the cost of each."""
ABOUT = """
import json, torch
from anomgan.evaluation.records import environment
print(json.dumps(environment(torch.device("cpu"))))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--normals", nargs="*", type=int, default=NORMALS)
    parser.add_argument("--images", nargs="*", type=int, default=IMAGES)
    parser.add_argument("--megapixels", nargs="*", type=float, default=MEGAPIXELS)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    about = subprocess.run([sys.executable, "-c", ABOUT], check=True, stdout=subprocess.PIPE).stdout
    lines = OUT.read_text(encoding="utf-8").splitlines() if OUT.exists() else []
    done = {(line["work"], line["amount"]) for line in map(json.loads, lines)}
    with tempfile.TemporaryDirectory() as name:
        study = Study(Path(name))
        plan = (
            ("images to learn from", study.normals, options.normals),
            ("images to score", study.images, options.images),
            ("megapixels of an image to score", study.megapixels, options.megapixels),
        )
        for work, job, amounts in plan:
            for amount in amounts:
                if (work, amount) in done:
                    continue
                record: dict[str, Any] = {"study": "scale", "work": work, "amount": amount}
                record["load_before"] = round(os.getloadavg()[0], 1)
                record |= job(amount) | json.loads(about)
                with OUT.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record) + "\n")
                print(json.dumps(record), flush=True)


class Study:
    """The jobs, each named after what grows; images and models are left in `place`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.photographs = sorted((DATA / "transistor" / "train" / "good").iterdir())

    def normals(self, count: int) -> dict[str, float]:
        """Fit the default to so many images."""
        folder = self.place / f"normals_{count}"
        self._crop(folder, count)
        fit = [*ANOMGAN, "fit", "--normal-dir", folder, "--out", self.place / f"model_{count}"]
        return measure([*fit, "--device", "cpu"])

    def images(self, count: int) -> dict[str, float]:
        """Score so many images in one run."""
        crops = self.place / "crops"
        if not crops.exists():
            self._crop(crops, DIFFERENT)
        return self._score(sorted(crops.iterdir()), count)

    def megapixels(self, size: float) -> dict[str, float]:
        """Score one photograph of a size, and several in one run."""
        side = round(1000 * size**0.5)
        path = self.place / f"{size}.jpg"
        Image.open(self.photographs[0]).resize((side, side)).save(path, quality=95)
        one, some = self._score([path], 1), self._score([path], REPEATED)
        more = some.pop("cpu_seconds") - one["cpu_seconds"]
        return some | {"ms_per_image": round(1000 * more / (REPEATED - 1), 1)}

    def _crop(self, folder: Path, count: int) -> None:
        """Save crops as JPEG; no two are the same part of the same photograph."""
        folder.mkdir()
        places = list(product(self.photographs, range(PLAY), range(PLAY)))
        for number in np.random.default_rng(0).permutation(len(places))[:count]:
            path, left, top = places[number]
            crop = Image.open(path).crop((left, top, left + SIDE, top + SIDE))
            crop.save(folder / f"{number:06}.jpg", quality=95)

    def _score(self, paths: list[Path], count: int) -> dict[str, float]:
        """Score a folder of so many links to images, with a table and no pictures."""
        model = self.place / f"model_{NORMALS[0]}"
        if not model.exists():
            self.normals(NORMALS[0])
        with tempfile.TemporaryDirectory(dir=self.place) as name:
            folder, table = Path(name, "images"), Path(name, "table.jsonl")
            folder.mkdir()
            for number, path in zip(range(count), cycle(paths)):
                os.link(path, folder / f"{number:06}.jpg")
            score = [*ANOMGAN, "score", "--model", model, "--dir", folder, "--out", table]
            return measure([*score, "--device", "cpu"])


if __name__ == "__main__":
    main()
