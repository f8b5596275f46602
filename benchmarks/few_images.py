"""What mirrored and turned copies do where good images are few.

    python benchmarks/few_images.py
    python benchmarks/few_images.py --sets screw --images 30 100 --seeds 0 1

The training images are drawn at random, the same with and without copies. All test images of a set
are scored. Each result is saved when it is finished: the same command continues where it stopped.
"""

import argparse
from functools import partial
from itertools import product

import numpy as np
from features import SETS
from sklearn.metrics import roc_auc_score
from study import DATA, are_bad, measure_once, parts_table

from anomgan import GANomaly
from anomgan.data.folders import list_images
from anomgan.evaluation.records import Record, environment


def measure(name: str, images: int, augment: str, seed: int) -> Record:
    """Fit to so many good images, and score the test images."""
    good = list_images(DATA / name / "train" / "good")
    drawn = np.random.default_rng(seed).permutation(len(good))[:images]
    test = list_images(DATA / name / "test")
    detector = GANomaly(space="features", seed=seed, backbone={"augment": augment})
    detector.fit([good[index] for index in drawn], groups=parts_table(name))
    results = list(detector.score_each(test))
    bad, p_values = are_bad(test), np.array([result.p_value for result in results])
    facts = detector.fitted.facts
    return {
        "images": images,
        "augment": augment,
        "copies": facts["turned_copies"],
        "explained": round(facts["explained"], 4),
        "image_auroc": round(float(roc_auc_score(bad, [one.score for one in results])), 4),
        "detected_0.05": round(float((p_values[bad] <= 0.05).mean()), 4),
        "false_alarms_0.05": round(float((p_values[~bad] <= 0.05).mean()), 4),
        **environment(detector.device),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--images", nargs="+", type=int, default=[30, 100])
    parser.add_argument("--augment", nargs="+", default=["auto", "none"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    every = product(options.seeds, options.sets, options.images, options.augment)
    cells = (
        (name, f"images={n}, augment={augment}", seed, partial(measure, name, n, augment, seed))
        for seed, name, n, augment in every
    )
    measure_once("few_images", cells)


if __name__ == "__main__":
    main()
