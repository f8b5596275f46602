"""GANomaly of anomalib and ours, side by side: training, scoring, memory.

    python benchmarks/peers/anomalib_ganomaly.py

Makes an environment of its own for the peer in benchmarks/models/, with our version of torch. Both
sides learn from, and score, the centre squares of magnetic tiles, as colour PNG files of 256 px;
both have the peer's default network at 64 px. Each job is a process of its own, ours and the peer's
in turn. The peer reads its images in the process that trains, and draws no pictures. The peak is
what the machine's fastest large convolution does in float32. Needs Linux. Leaves
benchmarks/results/peers.jsonl.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch
from PIL import Image

from anomgan.data.decode import read_image, with_channels
from anomgan.evaluation.records import environment

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "peers.jsonl"
DATA = Path(os.environ.get("ANOMGAN_DATA", HERE.parents[2] / "shared" / "data"))
PEER = "anomalib==2.7.0"
PLACE = HERE.parent / "models" / PEER
EXPORTED = "exported_"
"""What figures of our exported file begin with; the peer is as it is for those."""
Round = dict[str, dict[str, float]]
"""The figures of each side, by name."""
FIGURES = {
    "train": ("training", 1, 1.5),
    "train_networks": ("training, the networks alone", 1, 1.5),
    "files": ("scoring PNG files", 1, 2.0),
    "frames": ("scoring from memory", 1, 2.0),
    "frames_one_by_one": ("scoring from memory, one by one", 1, 2.0),
    "exported_files": ("scoring PNG files, exported to ONNX", 1, 2.0),
    "exported_frames": ("scoring from memory, exported to ONNX", 1, 2.0),
    "exported_frames_one_by_one": ("scoring from memory, one by one, exported to ONNX", 1, 2.0),
    "score_networks": ("scoring, the networks alone", 1, 2.0),
    "train_megabytes": ("peak memory of training, MB", 1, 0.7),
    "score_megabytes": ("peak memory of scoring, MB", 1, 0.7),
    "parameters": ("parameters, millions", 1e6, None),
    "train_macs": ("multiply-adds of a training step, millions an image", 1e6, None),
    "score_macs": ("multiply-adds of scoring, millions an image", 1e6, None),
    "train_share": ("training, share of the float32 peak, %", 0.01, None),
    "score_share": ("scoring, share of the float32 peak, %", 0.01, None),
}
"""Of each figure: what it is (images per second, unless it says so), its unit, and what ours is to
be times the peer's: at least, or at most of memory."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)  # environment() records it
    pythons = {"ours": Path(sys.executable), "theirs": peer_environment()}
    busy = {"load_before": round(os.getloadavg()[0], 1)}  # processes that ran beside it
    about = vars(options) | busy | environment(torch.device("cpu"))
    lines = []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_parts(place / "parts", options.images)
        for precision in ("float32", "bfloat16"):
            rounds = [
                {
                    side: work(python, side, "train", precision, place, options)
                    | work(python, side, "score", precision, place, options)
                    for side, python in pythons.items()
                }
                for _ in range(options.rounds)
            ]
            peak = work(pythons["ours"], "ours", "peak", precision, place, options)
            lines += summary(rounds, precision, peak["peak_macs_per_second"])
            records = [{"study": "peers", "peer": PEER, "seed": 0} | line | about for line in lines]
            RESULTS.write_text("".join(json.dumps(record) + "\n" for record in records))


def peer_environment() -> Path:
    """The peer's interpreter; its environment is made if it is not there."""
    python = PLACE / "bin" / "python"
    if not python.exists():
        venv.create(PLACE, with_pip=True)
        same = [f"{name}=={version(name)}" for name in ("torch", "torchvision")]
        subprocess.run([python, "-m", "pip", "install", "--quiet", PEER, *same], check=True)
    return python


def write_parts(folder: Path, count: int) -> None:
    """The centre squares of good tiles as colour PNG files of 256 px."""
    folder.mkdir()
    tiles = sorted((DATA / "magnetic_tile" / "train" / "good").iterdir())
    for number, path in enumerate(tiles[:count]):
        image = Image.fromarray(with_channels(read_image(path), 3))
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.crop((left, top, left + side, top + side)).resize((256, 256))
        square.save(folder / f"{number:04}.png")


def work(
    python: Path, side: str, job: str, precision: str, place: Path, options: argparse.Namespace
) -> dict[str, float]:
    """The figures of a job, from a process of its own."""
    out = place / "figures.json"
    command = [python, HERE / f"{side}.py", job, place, options.steps, precision, out]
    subprocess.run(
        list(map(str, command)),
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": str(options.threads)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    figures = json.loads(out.read_text())
    print(precision, side, job, figures, flush=True)
    return figures


def summary(rounds: list[Round], precision: str, peak: float) -> list[dict[str, Any]]:
    """A line for each figure: the medians of both sides, and of the ratios round by round."""
    for sides in rounds:
        for figures in sides.values():
            for job in ("train", "score"):
                speed = figures[f"{job}_networks"] * figures[f"{job}_macs"]
                figures[f"{job}_share"] = speed / peak
    lines = []
    for name, (figure, unit, bar) in FIGURES.items():
        if name not in rounds[0]["ours"]:
            continue
        ours = [sides["ours"][name] for sides in rounds]
        theirs = [sides["theirs"][name.removeprefix(EXPORTED)] for sides in rounds]
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        lines.append(
            {
                "figure": figure,
                "precision": precision,
                "ours": median(ours) / unit,
                "theirs": median(theirs) / unit,
                "ratio": median(ratios),
                "ratio_lowest": min(ratios),
                "ratio_highest": max(ratios),
                "bar": bar,
            }
        )
    return lines


if __name__ == "__main__":
    main()
