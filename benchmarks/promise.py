"""Promised against observed false alarms, over random splits of real good images.

    python benchmarks/promise.py --splits 20

For each set and number of images, anomgan is fitted to that many good images drawn at random, and
scores all other good images of the set and its defects. Both methods of calibration see the same
splits. The networks are small and the images 256 px, so that one fit takes seconds: the promise
must hold whatever the networks learn. AUROC is lower for it, and only compares the two methods.
A finished cell is one line of benchmarks/results/promise.jsonl; the same command goes on.
"""

import argparse
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from study import DATA, Cell, are_bad, measure_once
from torch import Tensor

from anomgan import GANomaly
from anomgan.data.folders import list_images
from anomgan.evaluation.records import Record, environment

SETS = ("magnetic_tile", "solar_mono")
IMAGES = (30, 60, 100, 300)
RATES = (0.01, 0.05, 0.1)
LONG_SIDE = 256
SETTINGS: dict[str, Any] = {
    "space": "features",
    "backbone": {"long_side": LONG_SIDE},
    "training": {"steps": 30},
    "network": {"features": 128},
}


class Remembering(GANomaly):
    """GANomaly that passes each image through the backbone once, however often it is fitted."""

    seen: dict[int, Tensor] = {}

    def load_backbone(self) -> list[dict[str, Any]]:
        facts = super().load_backbone()
        assert self.feature_space is not None
        extractor = self.feature_space.extractor
        compute = extractor.raw

        def raw(x: Tensor) -> Tensor:
            key = hash(x.numpy().tobytes())
            if key not in self.seen:
                self.seen[key] = compute(x).half()
            return self.seen[key].float()

        extractor.raw = raw  # type: ignore[method-assign]
        return facts


def splits(name: str, images: int, count: int) -> Iterator[tuple[list[Path], list[Path]]]:
    """Yield (images to fit, other images to score) for each random split."""
    everything = list_images(DATA / name / "train") + list_images(DATA / name / "test")
    good = [path for path in everything if path.parent.name == "good"]
    bad = [path for path in everything if path.parent.name != "good"]
    for seed in range(count):
        shuffled = np.random.default_rng(seed).permutation(len(good))
        fitted, others = np.split(shuffled, [images])
        yield [good[index] for index in fitted], [good[index] for index in others] + bad


def measure(name: str, images: int, method: str, count: int) -> Record:
    """Fit and score all splits; a rate that so few images cannot promise has no figure."""
    observed, aurocs, least = [], [], 1.0
    for seed, (normals, others) in enumerate(splits(name, images, count)):
        detector = Remembering(**SETTINGS, seed=seed, calibration={"method": method})
        results = list(detector.fit(normals).score_each(others))
        is_bad = are_bad(others)
        p_values = np.array([one.p_value for one in results])
        least = 1 / (1 + detector.fitted.facts["calibration_images"])
        observed.append([float((p_values[~is_bad] <= rate).mean()) for rate in RATES])
        aurocs.append(roc_auc_score(is_bad, [one.score for one in results]))
        print(f"{name} {images} {method}: split {seed + 1} of {count}", flush=True)
    record: Record = {
        "images": images,
        "method": method,
        "image_auroc": round(float(np.mean(aurocs)), 4),
        "image_auroc_sd": round(float(np.std(aurocs, ddof=1)), 4),
    }
    means, deviations = np.mean(observed, 0), np.std(observed, 0, ddof=1)
    for rate, mean, deviation in zip(RATES, means.tolist(), deviations.tolist(), strict=True):
        possible = rate >= least
        record[f"observed_{rate}"] = round(mean, 4) if possible else None
        record[f"observed_{rate}_sd"] = round(deviation, 4) if possible else None
    return record | environment(torch.device("cpu"))


def cells(sets: Sequence[str], counts: Sequence[int], splits: int) -> Iterator[Cell]:
    """Yield the cells, set by set, as the features of a set fill the memory."""
    for name in sets:
        Remembering.seen.clear()
        for images, method in product(counts, ("folds", "held-out")):
            config = f"images={images}, method={method}, splits={splits}"
            yield name, config, None, partial(measure, name, images, method, splits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--images", nargs="+", type=int, default=IMAGES)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of rates that cannot be promised: they are in the record
    measure_once("promise", cells(options.sets, options.images, options.splits))


if __name__ == "__main__":
    main()
