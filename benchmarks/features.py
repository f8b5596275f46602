"""Detectors and baselines on the features of a pretrained network, on five data sets of real parts.

    python benchmarks/features.py                                  # the default
    python benchmarks/features.py --methods all --seeds 0 1
    python benchmarks/features.py --methods ganomaly --set backbone.align=none

Each result is saved when it is finished: the same command continues where it stopped.
"""

import argparse

from study import DATA, RESULTS, contenders, parts_table

from anomgan.evaluation.benchmark import plan, run_benchmark
from anomgan.evaluation.sets import DataSet

METHODS = ("ganomaly", "f-anogan", "egbad", "anogan")
BASELINES = ("autoencoder", "coreset", "eigenmaps", "gaussian", "place-gaussian")
SETS = ("screw", "magnetic_tile", "transistor", "solar_mono", "pipe_staple")


def data_set(name: str) -> DataSet:
    """Make a development set from the name of its folder; images of one tile stay together."""
    return DataSet("folder", DATA / name, "split by folder", groups=parts_table(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=["ganomaly"], help="names, or all")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--set", nargs="+", default=[], help="settings, section.key=value")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    names = [*METHODS, *BASELINES] if options.methods == ["all"] else options.methods
    chosen = contenders(names, [], ["space=features", *options.set], {})
    cells = [
        cell
        for seed in options.seeds
        for name in options.sets
        for cell in plan("features", data_set(name), chosen, [seed])
    ]
    out = RESULTS / "features.jsonl"
    run_benchmark(cells, out, workers=options.workers, device=options.device)


if __name__ == "__main__":
    main()
