"""Ranks settings without a defect: held-out good parts against trial defects painted on them.

    python benchmarks/trial.py --parts tiles --set training.steps=500 --set image.max_side=320

Learns from four fifths of the good training images (whole tiles), and is tested on the others and
on what `trial_defects` paints on them; with --relit, each under a lamp of its own. Each --set
(several settings with spaces between) is a contender of its own; without any, the default is the
only one.
"""

import argparse
from pathlib import Path

import numpy as np
from generator_study import MODELS
from study import DATA, RESULTS, with_changes
from tiles import by_lighting
from trial_defects import write_trial

from anomgan.data.folders import list_images, read_groups
from anomgan.evaluation.benchmark import plan, run_benchmark
from anomgan.evaluation.sets import DataSet

HELD_OUT = 0.2
FOLDERS = {"tiles": DATA / "magnetic_tile", "screw": DATA / "screw"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", choices=FOLDERS, default="tiles")
    parser.add_argument("--relit", action="store_true")
    parser.add_argument("--detectors", nargs="+", default=["restoration"])
    parser.add_argument("--set", dest="changes", action="append", default=[])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    protocol = "trial defects"
    if options.relit:
        protocol += ", each under a lamp of its own"
    data = DataSet("folder", trial_folder(options.parts, options.relit), protocol)
    chosen = with_changes(options.detectors, options.changes or [""])
    cells = plan("trial", data, chosen, options.seeds)
    run_benchmark(cells, RESULTS / "trial.jsonl", workers=options.workers, device=options.device)


def trial_folder(parts: str, relit: bool = False) -> Path:
    """The folder of the trial, written the first time."""
    folder = MODELS / "trial" / (f"{parts}-relit" if relit else parts)
    if not folder.exists():
        if parts == "tiles":
            images = [path for paths in by_lighting("train").values() for path in paths]
            groups = read_groups(FOLDERS[parts] / "tiles.csv", images)
        else:
            images = list_images(FOLDERS[parts] / "train" / "good")
            groups = [path.name for path in images]
        names = np.random.default_rng(0).permutation(sorted(set(groups)))
        held = set(names[: round(HELD_OUT * len(names))])
        held_out = [path for path, group in zip(images, groups, strict=True) if group in held]
        kept = [path for path, group in zip(images, groups, strict=True) if group not in held]
        write_trial(folder, kept, held_out, relit=relit)
    return folder


if __name__ == "__main__":
    main()
