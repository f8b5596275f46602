"""Magnetic tiles: detectors with parts settings, by defect kind.

    python benchmarks/magnetic_tile.py --detectors restoration ganomaly egbad f_anogan anogan

Real tiles in MVTec layout, split so that no tile is on both sides; groups keep the photographs of
one tile together.
"""

import argparse

import torch
from study import DATA, is_done, keep, make, run_cell

from anomgan.data.folders import list_images

STUDY = "magnetic_tile"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--detectors", nargs="+", default=["restoration", "ganomaly", "egbad", "f_anogan", "anogan"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    root = DATA / "magnetic_tile"
    images = list_images(root / "test")
    kinds = [path.parent.name for path in images]
    for seed in options.seeds:
        for name in options.detectors:
            config = f"{name}_parts.toml"
            if is_done(STUDY, config=config, category="tile", seed=seed):
                continue
            about = {
                "dataset": "magnetic_tile",
                "category": "tile",
                "protocol": "split by tile",
                "config": config,
            }
            detector = make(config, seed, options.device)
            normals = list_images(root / "train" / "good")
            groups = root / "tiles.csv"
            keep(STUDY, run_cell(detector, normals, images, kinds, groups=groups, **about))


if __name__ == "__main__":
    main()
