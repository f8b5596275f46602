"""Projection: StyleGAN in W and W+ against the latent search of DCGAN, with equal time.

    python benchmarks/projection.py

Rebuilds held-out digits of MNIST with the generators of mnist_generators.py. DCGAN gets as many
steps as fit in the time of StyleGAN, from one starting point or divided among four.
"""

import argparse
import time

import numpy as np
import torch
from generator_study import keep, trained
from mnist_generators import STUDY as TRAINED
from mnist_generators import read_digits
from study import RESULTS
from torch import Tensor

from anomgan.data.views import to_network, to_pixels
from anomgan.generators import TrainedGAN
from anomgan.generators.latent_search import SearchSettings
from anomgan.generators.projection import project
from anomgan.pictures import save_grid

STUDY = "projection"
COUNT = 32
STEPS = 200
TRIAL = 10
"""Steps for measuring the speed of a search."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    train, digits = read_digits(train=True)
    by_digit = {str(digit): list(train[digits == digit]) for digit in range(10)}
    images, _ = read_digits(train=False)
    x = to_network(images[:COUNT, :, :, None])
    style = trained(TRAINED, "stylegan_mnist", by_digit, options.device)
    plain = trained(TRAINED, "dcgan_mnist", by_digit, options.device)
    assert isinstance(style, TrainedGAN) and isinstance(plain, TrainedGAN)
    seconds, rebuilt = 0.0, {}
    for space in ("w", "w+"):
        seconds, rebuilt[f"StyleGAN {space}"] = _run(style, x, space, STEPS, 1, "stylegan_mnist")
    for restarts in (1, 4):
        speed = _seconds(plain, x, _settings("w", TRIAL, restarts))[0] / TRIAL
        steps = max(1, round(seconds / speed))
        name = f"DCGAN, {restarts} start{'s' * (restarts > 1)}"
        rebuilt[name] = _run(plain, x, "w", steps, restarts, "dcgan_mnist")[1]
    shown = [[image[:, :, 0] for image in some[:8]] for some in rebuilt.values()]
    rows = [list(images[:8]), *shown]
    save_grid(RESULTS / "projection.png", rows, [""] * 8, ["image", *rebuilt], "Projection")


def _run(
    model: TrainedGAN, x: Tensor, space: str, steps: int, restarts: int, config: str
) -> tuple[float, np.ndarray]:
    settings = _settings(space, steps, restarts)
    seconds, error, rebuilt = _seconds(model, x, settings)
    figures = {
        "space": space if config.startswith("stylegan") else "z",
        "restarts": restarts,
        "search_steps": steps,
        "search_seconds": seconds,
        "n_test": len(x),
        "l1": float(error.mean()) / 2,
    }
    keep(STUDY, model, config, figures)
    print(config, figures)
    return seconds, to_pixels(rebuilt)


def _settings(space: str, steps: int, restarts: int) -> SearchSettings:
    """Make settings without early stopping; the loss is the residual, which is compared."""
    return SearchSettings(
        space=space, steps=steps, restarts=restarts, patience=0, discrimination=0.0
    )


def _seconds(
    model: TrainedGAN, x: Tensor, settings: SearchSettings
) -> tuple[float, Tensor, Tensor]:
    # Processor time, so that other work on the machine does not count; on a GPU, only wall-clock
    # time is available.
    clock = time.process_time if model.device.type == "cpu" else time.perf_counter
    began = clock()
    found = project(model.method, x.to(model.device), settings)
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - began, found.error.cpu(), found.rebuilt.cpu()


if __name__ == "__main__":
    main()
