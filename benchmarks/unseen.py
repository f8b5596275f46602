"""The default and two baselines on features, on sets that no setting was chosen on.

    python benchmarks/unseen.py --data sets/

`sets/` holds a folder for each set, arranged as MVTec AD does; docs/figures.md says where ours come
from and how they were split. Each result is saved when it is finished: the same command continues
where it stopped.
"""

import sys
from pathlib import Path

from study import DATA, features_parser, run_on_features

from anomgan.evaluation.sets import DataSet

METHODS = ("ganomaly", "coreset", "eigenmaps")


def main() -> None:
    parser = features_parser(__doc__, METHODS)
    parser.add_argument("--data", type=Path, default=DATA.parent / "unseen")
    options = parser.parse_args()
    found = sorted(folder.parents[1].name for folder in options.data.glob("*/train/good"))
    if not found:
        sys.exit(f"{options.data} has no folder with train/good; give --data, the folder of sets")
    sets = [
        DataSet("folder", options.data / name, "split by folder") for name in options.sets or found
    ]
    run_on_features("unseen", sets, options)


if __name__ == "__main__":
    main()
