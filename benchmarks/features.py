"""Detectors and baselines on the features of a pretrained network, on five data sets of real parts.

    python benchmarks/features.py                                  # the default
    python benchmarks/features.py --methods all --seeds 0 1
    python benchmarks/features.py --methods ganomaly --set backbone.align=none

Each result is saved when it is finished: the same command continues where it stopped.
"""

from study import DATA, features_parser, parts_table, run_on_features

from anomgan.evaluation.sets import DataSet

SETS = ("screw", "magnetic_tile", "transistor", "solar_mono", "pipe_staple")


def data_set(name: str) -> DataSet:
    """Make a development set from the name of its folder; images of one tile stay together."""
    return DataSet("folder", DATA / name, "split by folder", groups=parts_table(name))


def main() -> None:
    options = features_parser(__doc__, ["ganomaly"]).parse_args()
    run_on_features("features", [data_set(name) for name in options.sets or SETS], options)


if __name__ == "__main__":
    main()
