"""scikit-learn's outlier detectors on pooled features of the backbone that our default uses.

    python benchmarks/peers/pooled_features.py

The features of each image, prepared as for the default, are averaged over all its places, so that
each image is one vector: what many people try first. There are no heatmaps. Each detector is told
to call 1% of the good images anomalous, as ours is. Times are those of the features, beside which a
detector takes none; they are left out if the machine has other work. A set that was measured is not
measured again. Adds to results/peers_features.jsonl.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomalib_features import OUT, SETS, aurocs
from anomalib_ganomaly import DATA
from features_task import test_images
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from anomgan import GANomaly
from anomgan.backbones import crop
from anomgan.data.decode import read_image
from anomgan.data.folders import list_images
from anomgan.data.normals import read_normals
from anomgan.data.prepare import Preparation
from anomgan.data.views import to_network
from anomgan.detectors.feature_space import FeatureSpace
from anomgan.evaluation.records import append_record, environment, read_records

RATE = 0.01
"""Share of good images that a detector may call anomalous."""
BUSY = 1.0
"""Load of the machine above which times say nothing."""
DETECTORS = {
    "IsolationForest": lambda: IsolationForest(contamination=RATE, random_state=0),
    "OneClassSVM": lambda: make_pipeline(StandardScaler(), OneClassSVM(nu=RATE)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    busy = os.getloadavg()[0]  # before there is our own work
    done = {(record["dataset"], record["detector"]) for record in read_records(OUT)}
    for name in options.sets:
        if all((name, label(detector)) in done for detector in DETECTORS):
            continue
        *vectors, costs = measure(DATA / name)
        if busy > BUSY:
            costs |= dict.fromkeys(("fit_seconds", "score_ms_median"))
        for record in compare(DATA / name, *vectors):
            record |= costs | {"dataset": name, "load_before": round(busy, 1)}
            append_record(OUT, record | environment(torch.device("cpu")))
            print(json.dumps(record), flush=True)


def label(detector: str) -> str:
    return f"scikit-learn {detector}"


def measure(folder: Path) -> tuple[np.ndarray, np.ndarray, dict[str, float | None]]:
    """Vectors [n, channels] of the good images and of the test images, and what they cost."""
    began = time.perf_counter()
    space, preparation, normals = learn(folder)
    costs: dict[str, float | None] = {"fit_seconds": round(time.perf_counter() - began, 2)}
    vectors, seconds = [], []
    for path in test_images(folder):
        began = time.perf_counter()
        vectors.append(pooled(space, preparation(read_image(path), str(path))))
        seconds.append(time.perf_counter() - began)
    costs["score_ms_median"] = round(1000 * float(np.median(seconds)), 2)
    return normals, np.stack(vectors), costs


def compare(folder: Path, normals: np.ndarray, tested: np.ndarray) -> list[dict[str, Any]]:
    """What each detector makes of the vectors of a set: one record each."""
    good = np.array([path.parent.name == "good" for path in test_images(folder)])
    records = []
    for name, make in DETECTORS.items():
        distances = make().fit(normals).decision_function(tested)
        record = {"study": "peers_features", "detector": label(name), "config": "pooled features"}
        record |= aurocs(folder, (-distances).tolist())
        record["false_alarm_rate_target"] = RATE
        record["false_alarm_rate_observed"] = round(float((distances[good] < 0).mean()), 4)
        record["detected"] = round(float((distances[~good] < 0).mean()), 4)
        records.append(record)
    return records


def learn(folder: Path) -> tuple[FeatureSpace, Preparation, np.ndarray]:
    """The backbone, how images are prepared, and the vectors [n, channels] of the good images."""
    settings = GANomaly(space="features").settings
    space = FeatureSpace(settings.backbone)
    space.extractor.load_weights()
    with tempfile.TemporaryDirectory() as place:
        read = read_normals(list_images(folder / "train" / "good"), folder=Path(place))
        long_side = space.long_side(read.shapes())
        preparation = Preparation.of(read, settings.image, settings.view, long_side)
        with read.prepared(preparation, Path(place)) as store:
            vectors = [pooled(space, store[index]) for index in range(len(store))]
    return space, preparation, np.stack(vectors)


@torch.no_grad()
def pooled(space: FeatureSpace, image: np.ndarray) -> np.ndarray:
    """The mean [channels] of the features of a prepared image [h, w, C], without its border."""
    raw = space.extractor.raw(to_network(space.grid.surround(image)[None]))
    inside = crop(raw, image.shape, space.extractor.stride, space.grid.multiple)
    return inside[0].mean((1, 2)).numpy()


if __name__ == "__main__":
    main()
