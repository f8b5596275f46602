"""What each part of the default detector is worth: short fits, one change each, trial defects.

    python benchmarks/ablation.py

Learns and is tested as in trial.py, on tiles, with 1,500 steps and the first 48 images of each kind.
The first row is the default. What scores alone depend on is learnt anew all the same, and likewise.
"""

import argparse

from study import RESULTS, with_changes
from trial import FOLDERS, trial_folder

from anomgan.benchmark.runner import plan, run_benchmark
from anomgan.benchmark.sets import DataSet

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
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    data = DataSet("folder", trial_folder(options.parts), "trial defects", options.limit)
    chosen = with_changes(["restoration"], [f"{SHORT} {change}" for change in CHANGES])
    cells = plan("ablation", data, chosen, [0])
    run_benchmark(
        cells, RESULTS / "ablation.jsonl", workers=options.workers, device=options.device
    )


if __name__ == "__main__":
    main()
