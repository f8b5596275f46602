"""What mirrored and turned copies do where good images are few.

    python benchmarks/few_images.py
    python benchmarks/few_images.py --sets screw --images 30 100 --seeds 0 1

The training images are drawn at random, the same with and without copies. All test images of a set
are scored. Each result is saved when it is finished: the same command continues where it stopped.
"""

import argparse
from itertools import product

import numpy as np
from features import SETS
from sklearn.metrics import roc_auc_score
from study import DATA, RESULTS, parts_table

from anomgan import GANomaly
from anomgan.data.folders import list_images
from anomgan.evaluation.records import append_record, environment, read_records

OUT = RESULTS / "few_images.jsonl"


def measure(name: str, images: int, augment: str, seed: int) -> dict[str, object]:
    """Fit to so many good images, and score the test images."""
    good = list_images(DATA / name / "train" / "good")
    drawn = np.random.default_rng(seed).permutation(len(good))[:images]
    test = list_images(DATA / name / "test")
    detector = GANomaly(space="features", seed=seed, backbone={"augment": augment})
    detector.fit([good[index] for index in drawn], groups=parts_table(name))
    results = list(detector.score_each(test))
    bad = np.array([path.parent.name != "good" for path in test])
    p_values = np.array([result.p_value for result in results])
    assert detector.fitted is not None
    facts = detector.fitted.facts
    return {
        "study": "few_images",
        "dataset": name,
        "detector": "ganomaly",
        "config": describe(images, augment),
        "seed": seed,
        "images": images,
        "augment": augment,
        "copies": facts["turned_copies"],
        "explained": round(facts["explained"], 4),
        "image_auroc": round(float(roc_auc_score(bad, [one.score for one in results])), 4),
        "detected_0.05": round(float((p_values[bad] <= 0.05).mean()), 4),
        "false_alarms_0.05": round(float((p_values[~bad] <= 0.05).mean()), 4),
        **environment(detector.device),
    }


def describe(images: int, augment: str) -> str:
    """Name a cell of the study."""
    return f"images={images}, augment={augment}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--images", nargs="+", type=int, default=[30, 100])
    parser.add_argument("--augment", nargs="+", default=["auto", "none"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    done = {(one["dataset"], one["config"], one["seed"]) for one in read_records(OUT)}
    for seed, name, images, augment in product(
        options.seeds, options.sets, options.images, options.augment
    ):
        if (name, describe(images, augment), seed) not in done:
            record = measure(name, images, augment, seed)
            append_record(OUT, record)
            print(name, record["config"], seed, record["image_auroc"], flush=True)


if __name__ == "__main__":
    main()
