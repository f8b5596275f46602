"""Cost of inference: all detectors on the same images in one run.

    python benchmarks/latency.py

Fits every detector for a few steps with its MNIST settings (the quality of the fit does not change
the cost), then scores the same test images one at a time and in batches. AnoGAN takes the paper's
500 steps. Writes benchmarks/results/latency.jsonl.
"""

import argparse
import json
import time

import numpy as np
from study import DATA, RESULTS, make

from anomgan.data.mnist import read_mnist
from anomgan.detectors.base import Detector
from anomgan.evaluation.records import environment

IMAGES = 64
DETECTORS = ("ganomaly", "egbad", "f_anogan", "anogan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    train, digits = read_mnist(DATA / "mnist", train=True)
    normals = list(train[digits == 8][:200])
    images = list(read_mnist(DATA / "mnist", train=False)[0][:IMAGES])
    lines = []
    for name in DETECTORS:
        changes = {"training": {"steps": 5}}
        if name == "f_anogan":
            changes["encoder"] = {"steps": 5}
        if name == "anogan":
            changes["search"] = {"steps": 500, "restarts": 1, "patience": 0}
        detector = make(f"{name}_mnist.toml", 0, options.device, changes).fit(normals)
        together = _milliseconds(detector, images, at_once=len(images))
        alone = _milliseconds(detector, images[: 8 if name == "anogan" else IMAGES], at_once=1)
        lines.append(
            {
                "study": "latency",
                "detector": detector.settings.detector,
                "images": len(images),
                "ms_per_image_one_by_one": alone,
                "ms_per_image_together": together,
                **environment(detector.device),
            }
        )
        print(json.dumps(lines[-1]), flush=True)
    (RESULTS / "latency.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def _milliseconds(detector: Detector, images: list[np.ndarray], at_once: int) -> float:
    """Measure the time per image from array to verdict; the best of three runs."""
    detector.score(images[:1])
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        for first in range(0, len(images), at_once):
            detector.score(images[first : first + at_once])
        seconds.append(time.perf_counter() - began)
    return 1000 * min(seconds) / len(images)


if __name__ == "__main__":
    main()
