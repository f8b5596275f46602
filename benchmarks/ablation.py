"""What each part of the default detector is worth: short fits, one change each, on tiles.

    python benchmarks/ablation.py
    python benchmarks/ablation.py --test

Learns and is tested as in trial.py, with 1,500 steps and the first 48 images of each kind; with
--test as in magnetic_tile.py, on its real defects: after all is chosen, to see whether they rank
the changes as trial defects do. What scores alone depend on is learnt anew all the same, and
likewise.
"""

import argparse

from magnetic_tile import TEST
from study import RESULTS, with_changes
from trial import FOLDERS, trial_folder

from anomgan.evaluation.benchmark import plan, run_benchmark
from anomgan.evaluation.sets import DataSet

SHORT = "training.steps=1500"
CHANGES = (
    "",
    "loss.adversarial=0",
    "score.standardise=false",
    "score.top_share=0.002",
    "view.scales=1",
    "image.max_side=256",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", choices=FOLDERS, default="tiles")
    parser.add_argument("--limit", type=int, default=48)
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    if options.test:
        study, data = "ablation_test", TEST
    else:
        folder = trial_folder(options.parts)
        study, data = "ablation", DataSet("folder", folder, "trial defects", options.limit)
    chosen = with_changes(["restoration"], [f"{SHORT} {change}" for change in CHANGES])
    cells = plan(study, data, chosen, [0])
    out = RESULTS / f"{study}.jsonl"
    run_benchmark(cells, out, workers=options.workers, device=options.device)


if __name__ == "__main__":
    main()
