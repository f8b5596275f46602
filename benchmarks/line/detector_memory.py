"""Peak memory of each detector with its default settings: of `anomgan fit`, and of `anomgan score`.

    python benchmarks/line/detector_memory.py

Learns 100 good magnetic tiles for half a minute a phase, and scores 32 others: longer training
takes no more memory, more images up to 512 MB. Needs Linux. Leaves
benchmarks/results/detector_memory.jsonl.
"""

import argparse
import json
import tempfile
from pathlib import Path

from small_line import ANOMGAN, DATA, measure, write_records

DETECTORS = ("ganomaly", "egbad", "f-anogan", "anogan")
LEARNT, SCORED = 100, 32


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    tiles = sorted((DATA / "magnetic_tile" / "train" / "good").iterdir())
    measured = []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        _link(tiles[:LEARNT], place / "ok")
        _link(tiles[-SCORED:], place / "new")
        for detector in DETECTORS:
            model = place / detector
            fit = [*ANOMGAN, "fit", "--normal-dir", place / "ok", "--out", model]
            fit += ["--detector", detector, "--minutes", "0.5", "--device", "cpu"]
            score = [*ANOMGAN, "score", "--model", model, "--dir", place / "new"]
            score += ["--out", place / f"{detector}.jsonl", "--device", "cpu"]
            record = {"detector": detector, "fit_megabytes": measure(fit)["peak_megabytes"]}
            record["score_megabytes"] = measure(score)["peak_megabytes"]
            measured.append(record)
            print(json.dumps(record), flush=True)
    write_records("detector_memory", measured)


def _link(images: list[Path], folder: Path) -> None:
    folder.mkdir()
    for path in images:
        (folder / path.name).symlink_to(path.resolve())


if __name__ == "__main__":
    main()
