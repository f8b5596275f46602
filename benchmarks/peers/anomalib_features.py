"""Our default beside anomalib's PatchCore and PaDiM, on the same backbone and image size.

    python benchmarks/peers/anomalib_features.py --sets screw --python PEER/bin/python

Both sides learn from the same good images and score the same test images with heatmaps, one by one,
in turns; each job is a process of its own. PatchCore's default coreset (10% of all vectors) takes
many hours on two cores. So there is a random coreset of that size, which costs the same to score,
and a smaller one that is chosen as in the paper. The peer's environment is made if `--python` is
left out. Needs Linux and an idle machine. Adds to results/peers_features.jsonl.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from anomalib_ganomaly import DATA, HERE, PEER, peer_environment
from features_task import parts_table, test_images
from sklearn.metrics import roc_auc_score

from anomgan.data.folders import read_groups
from anomgan.evaluation.records import append_record, environment
from anomgan.metrics.intervals import auroc_interval, compare_auroc

OUT = HERE.parent / "results" / "peers_features.jsonl"
SETS = ("screw", "magnetic_tile", "transistor", "solar_mono", "pipe_staple")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--peers", nargs="+", default=("padim", "random:0.1", "patchcore:0.002"))
    parser.add_argument("--python", type=Path, help="the peer's interpreter")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)  # environment() records it
    theirs = options.python or peer_environment()
    own = Path(sys.executable)
    sides = [
        ("ganomaly", own, "features_ours.py", "default, space=features"),
        ("ganomaly, exported", own, "features_exported.py", "onnx"),
        *((f"{PEER} {peer}", theirs, "features_theirs.py", peer) for peer in options.peers),
    ]
    for name in options.sets:
        folder = DATA / name
        with tempfile.TemporaryDirectory() as place:
            work(
                sys.executable, "features_ours.py", "weights", folder, f"{place}/lite0.safetensors"
            )
            ours: list[float] = []
            for detector, python, script, config in sides:
                model = Path(place) / config.partition(":")[0]
                fitted = work(python, script, "fit", folder, model, config)
                scored, scores = work(python, script, "score", folder, model, config)
                ours = ours or scores
                record = {
                    "study": "peers_features",
                    "dataset": name,
                    "detector": detector,
                    "config": config,
                    **aurocs(folder, scores, ours),
                    **{key: round(value, 2) for key, value in (fitted | scored).items()},
                    "load_before": round(os.getloadavg()[0], 1),
                    "threads": options.threads,
                    **environment(torch.device("cpu")),
                }
                append_record(OUT, record)
                print(json.dumps(record), flush=True)


def aurocs(folder: Path, scores: list[float], ours: list[float] | None = None) -> dict[str, object]:
    """Compute the AUROC, and ours minus it, with 95% intervals over the parts of the test set."""
    paths, table = test_images(folder), parts_table(folder)
    groups = None if table is None else read_groups(table, paths)
    bad = [path.parent.name != "good" for path in paths]
    found: dict[str, object] = {
        "image_auroc": round(float(roc_auc_score(bad, scores)), 4),
        "image_auroc_95": [round(end, 4) for end in auroc_interval(bad, scores, groups)],
    }
    if ours is not None:
        gain = compare_auroc(bad, ours, scores, groups)
        found["gain_95"] = [round(end, 4) for end in (gain.low, gain.high)]
    return found


def work(python: Path | str, script: str, job: str, *arguments: object) -> Any:
    """What a job finds, in a process of its own."""
    given = [*map(str, arguments), ""][:3]
    command: Sequence[str] = [str(python), str(HERE / script), job, *given]
    quiet = os.environ | {
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
    done = subprocess.run(command, check=True, env=quiet, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
