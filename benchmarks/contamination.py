"""What bad parts among the good ones cost: training images are replaced by real defects.

    python benchmarks/contamination.py --shares 0.05 --seeds 0
    python benchmarks/contamination.py --shares 0.02 0.05 0.1 --drop    # after `anomgan check`

The defects that are planted are not tested on. With --drop, the images that `anomgan check` finds
least like the others are left out, as many as were planted. Each result is saved when it is
finished: the same command continues where it stopped.
"""

import argparse
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from features import SETS
from sklearn.metrics import roc_auc_score
from study import DATA, are_bad, measure_once

from anomgan import GANomaly
from anomgan.data.folders import list_images
from anomgan.data.normals import read_normals
from anomgan.evaluation.check.unlike import compare
from anomgan.evaluation.records import Record, environment


def plant(name: str, share: float, seed: int) -> tuple[list[Path], list[Path], list[Path]]:
    """Return the training images, the defects among them, and the test images that are left."""
    rng = np.random.default_rng(seed)
    good = list_images(DATA / name / "train" / "good")
    test = list_images(DATA / name / "test")
    bad = [path for path in test if path.parent.name != "good"]
    planted = [bad[index] for index in rng.permutation(len(bad))[: round(share * len(good))]]
    kept = [good[index] for index in sorted(rng.permutation(len(good))[: len(good) - len(planted)])]
    return kept + planted, planted, [path for path in test if path not in set(planted)]


def least_like(paths: list[Path], count: int) -> set[Path]:
    """Find the images that `anomgan check` finds least like the others."""
    with TemporaryDirectory() as scratch:
        normals = read_normals(paths, folder=Path(scratch))
        found = compare(normals, range(len(paths)), "auto", Path(scratch), lambda done: None)
    return {paths[index] for index in np.argsort(-found.scores)[:count]}


def measure(name: str, share: float, seed: int, drop: bool) -> Record:
    """Fit to good images and planted defects, and score the rest."""
    training, planted, test = plant(name, share, seed)
    dropped = least_like(training, len(planted)) if drop and planted else set[Path]()
    detector = GANomaly(space="features", seed=seed)
    detector.fit([path for path in training if path not in dropped])
    results = list(detector.score_each(test))
    bad, called = are_bad(test), np.array([result.is_anomalous for result in results])
    return {
        "dropped": len(dropped),
        "planted": len(planted),
        "planted_and_dropped": len(dropped & set(planted)),
        "image_auroc": round(float(roc_auc_score(bad, [one.score for one in results])), 4),
        "found": round(float(called[bad].mean()), 4),
        "false_alarms": round(float(called[~bad].mean()), 4),
        **environment(detector.device),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--shares", nargs="+", type=float, default=[0.05])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--drop", action="store_true", help="leave out what check finds unlike")
    options = parser.parse_args()
    drop = options.drop
    cells = (
        (name, f"share={share}, drop={drop}", seed, partial(measure, name, share, seed, drop))
        for seed, share, name in product(options.seeds, options.shares, options.sets)
    )
    measure_once("contamination", cells)


if __name__ == "__main__":
    main()
