"""What stands in the way: a trial defect against other good images, and against its own.

    python benchmarks/trial_pairs.py

After trial.py, from the scores that it has kept. Each trial defect is painted on an image that is
among the good ones, too. Where a defect raises the score of its own image and is still not told
from others, it is not that the detector overlooks it: good images differ by more.
"""

from pathlib import Path

import numpy as np
import torch
from study import RESULTS
from trial import FOLDERS, trial_folder

from anomgan.data.public_sets import read_folder
from anomgan.evaluation.records import append_record, environment, read_records, scores_path
from anomgan.metrics.detection import auroc


def main() -> None:
    trial = RESULTS / "trial.jsonl"
    for record in read_records(trial):
        if record["dataset"] not in FOLDERS:
            continue  # relit: there the lamp differs, too
        kept = np.load(scores_path(trial, record))
        for row in compare(record["dataset"], kept["labels"], kept["scores"]):
            found = {"study": "trial_pairs", "detector": record["detector"], **row}
            append_record(RESULTS / "trial_pairs.jsonl", found | environment(torch.device("cpu")))


def compare(parts: str, labels: np.ndarray, scores: np.ndarray) -> list[dict[str, str | float]]:
    """For each kind of defect: AUROC, and how often it scores above the image it is painted on."""
    images = read_folder(trial_folder(parts)).test
    if [image.kind != "good" for image in images] != labels.astype(bool).tolist():
        raise SystemExit(f"the scores of {parts} are not of this trial; run trial.py again")
    # Names begin with the number of the image.
    numbers = np.array([Path(image.source).stem[:5] for image in images])
    kinds = np.array([image.kind for image in images])
    good = dict(zip(numbers[labels == 0], scores[labels == 0], strict=True))
    rows = []
    for kind in sorted(set(kinds[labels == 1])):
        some = scores[kinds == kind]
        own = np.array([good[number] for number in numbers[kinds == kind]])
        truth = [0] * len(good) + [1] * len(some)
        rows.append(
            {
                "photographs": parts,
                "kind": str(kind),
                "image_auroc": auroc(truth, [*good.values(), *some]),
                "above_own": float(np.mean((some > own) + 0.5 * (some == own))),
                "rise": float(np.median(some - own)),
                "deviation_good": float(np.std(list(good.values()))),
            }
        )
    return rows


if __name__ == "__main__":
    main()
