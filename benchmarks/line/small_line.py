"""What the studies of the line share: a tiny model of digits, folders full of them, a meter.

Nothing here imports torch: what `wait4` says of a child is never less than its parent had when it
began.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

RESULTS = Path(__file__).parents[1] / "results"
# As in study.py, which imports torch.
DATA = Path(os.environ.get("ANOMGAN_DATA", Path(__file__).parents[3] / "shared" / "data"))
ANOMGAN = (sys.executable, "-m", "anomgan")
FIT = (
    *("--detector", "ganomaly", "--steps", "20", "--device", "cpu", "--false-alarm-rate", "0.1"),
    *("--set", "view.kind=whole", "--set", "view.size=32", "--set", "network.features=8"),
    *("--set", "network.latent_dim=8", "--set", "training.batch_size=8"),
)


def write_digits(folder: Path, count: int = 1000) -> None:
    """Digits of scikit-learn at 32 px, as PNG."""
    folder.mkdir()
    for number, image in enumerate(load_digits().images[:count]):
        pixels = (np.kron(image, np.ones((4, 4))) * 15.9).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:06}.png")


def fit_digits(digits: Path, model: Path) -> None:
    """A GANomaly that has hardly learnt anything, which changes neither its cost nor its rows."""
    command = (*ANOMGAN, "fit", "--normal-dir", digits, "--out", model, *FIT)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def link_digits(digits: Path, folder: Path, count: int) -> None:
    """So many images that are hard links to the digits."""
    folder.mkdir()
    for number, source in enumerate(islice(cycle(sorted(digits.iterdir())), count)):
        os.link(source, folder / f"{number:06}.png")


def measure(command: Sequence[str | Path]) -> dict[str, float]:
    """Time, processor time and peak resident memory of a command. Needs Linux."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    seconds = time.perf_counter() - began
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_megabytes": round(usage.ru_maxrss / 1024, 1),
    }


def resident(process: int | str = "self") -> float:
    """Memory of a process in megabytes. Needs Linux."""
    status = Path(f"/proc/{process}/status").read_text()
    return round(int(status.partition("VmRSS:")[2].split()[0]) / 1024, 1)


def mount(disk: Path, options: str) -> None:
    """Mount a disk of memory, or change it. Needs Linux and root."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], check=True)


def write_records(study: str, measured: Sequence[dict[str, Any]]) -> None:
    """The records of a study, in the place of earlier ones."""
    import torch  # not before all is measured, see above

    from anomgan.evaluation.records import environment

    about = {"study": study} | environment(torch.device("cpu"))
    lines = [json.dumps(about | record) + "\n" for record in measured]
    (RESULTS / f"{study}.jsonl").write_text("".join(lines))
