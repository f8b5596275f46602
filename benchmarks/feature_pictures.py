"""Draws pictures of defects on real parts beside their heatmaps, for README.md.

    python benchmarks/feature_pictures.py

The first picture shows one defect of each data set and the heatmap of the default detector. Others
show the ten screws and the ten tiles whose defects GANomaly on pixels ranks lowest, with its
heatmaps and those of the default detector. Models are kept in benchmarks/models/.
"""

import argparse
from pathlib import Path

import numpy as np
from features import SETS, data_set
from study import MODELS, RESULTS, make

from anomgan.data.public_sets import PartSet, read_mask
from anomgan.detectors import load
from anomgan.detectors.base import Detector
from anomgan.detectors.result import Result
from anomgan.pictures import save_grid

AFTER, BEFORE = "ganomaly_features.toml", "ganomaly_parts.toml"
HARD_SETS, HARD = ("screw", "magnetic_tile"), 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sets", nargs="+", default=SETS)
    options = parser.parse_args()
    rows = [_typical(name, options.device) for name in options.sets]
    title = "The defect of median score in each data set\n(brightest: twice the threshold)"
    columns = ("part", "heatmap")
    save_grid(RESULTS / "features.png", rows, columns, options.sets, title, limits=(0, 2))
    for name in HARD_SETS:
        if name in options.sets:
            _hard(name, options.device)


def _typical(name: str, device: str) -> list[np.ndarray]:
    """Find the defect of median score, and its heatmap."""
    parts, detector = _read(name), _model(name, AFTER, device)
    results = [detector.score(image.source) for image in parts.test if image.kind != "good"]
    middle = sorted(results, key=lambda result: result.score)[len(results) // 2]
    return [middle.prepared, _scaled(middle)]


def _hard(name: str, device: str) -> None:
    """Draw the defects ranked lowest on pixels, with heatmaps on pixels and on features."""
    defects = [image for image in _read(name).test if image.kind != "good"]
    before, after = (_model(name, config, device) for config in (BEFORE, AFTER))
    by_score = sorted(defects, key=lambda image: before.score(image.source).score)
    rows, labels = [], []
    for image in by_score[:HARD]:
        found = [detector.score(image.source) for detector in (before, after)]
        mask = read_mask(image, found[1].size)
        rows.append([found[1].prepared, mask.astype(np.uint8) * 255, *map(_scaled, found)])
        labels.append(f"{image.kind}\n{found[0].verdict}, {found[1].verdict}")
    columns = ("part", "true defect", "pixels", "features")
    title = "The defects that GANomaly on pixels ranks lowest (brightest: twice the threshold)"
    save_grid(RESULTS / f"hard_{name}.png", rows, columns, labels, title, limits=(0, 2))


def _read(name: str) -> PartSet:
    return data_set(name).read(name)


def _model(name: str, config: str, device: str) -> Detector:
    folder = MODELS / f"{name}_{Path(config).stem}"
    if not folder.exists():
        detector = make(config, 0, device).fit(_read(name).normals, groups=data_set(name).groups)
        detector.save(folder)
    return load(folder, device)


def _scaled(result: Result) -> np.ndarray:
    """Compute the heatmap in units of the threshold, above the usual value in the image."""
    usual = float(np.median(result.heatmap))
    return (result.heatmap - usual) / (result.heat_threshold - usual)


if __name__ == "__main__":
    main()
