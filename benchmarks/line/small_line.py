"""What the studies of the line share: a tiny model of digits, and folders full of them.

Nothing here imports torch: what `wait4` says of a child is never less than its parent had when it
began.
"""

import os
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

RESULTS = Path(__file__).parents[1] / "results"
ANOMGAN = (sys.executable, "-m", "anomgan")
FIT = (
    "--detector", "ganomaly", "--steps", "20", "--device", "cpu", "--false-alarm-rate", "0.1",
    "--set", "view.kind=whole", "--set", "view.size=32", "--set", "network.features=8",
    "--set", "network.latent_dim=8", "--set", "training.batch_size=8",
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
