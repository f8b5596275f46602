"""The latent search of AnoGAN: batches against single images, convergence, early stopping.

    python benchmarks/latent_search.py --digit 8

Learns one digit of MNIST (configs/anogan_mnist.toml), then searches for test images: a few one at
a time and the same few together; all of a stratified 500 with and without early stopping. Leaves
benchmarks/results/latent_search.json and the curves of convergence beside it.
"""

import argparse
import json
import time

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from study import DATA, RESULTS, make

from anomgan.data.public_sets import read_digit
from anomgan.data.views import to_network
from anomgan.detectors.anogan import AnoGAN
from anomgan.evaluation.records import environment
from anomgan.generators.latent_search import Found, SearchSettings, search
from anomgan.metrics.detection import auroc

SINGLE = 12
"""Images that are searched for one at a time."""
PER_DIGIT = 50
STEPS = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--digit", type=int, default=8)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    parts = read_digit(DATA / "mnist", options.digit, per_digit=PER_DIGIT)
    detector = make("anogan_mnist.toml", 0, options.device)
    assert isinstance(detector, AnoGAN)
    detector.fit(parts.normals)
    prepare = detector.fitted.preparation
    x = to_network(np.stack([prepare(image.source) for image in parts.test])).to(detector.device)
    truth = np.array([image.is_anomalous for image in parts.test], int)

    one_by_one, together = _throughput(detector, x[:: len(x) // SINGLE][:SINGLE], x)
    whole = _search(detector, x, patience=0)
    early = _search(detector, x, patience=30)
    result = {
        "study": "latent_search",
        "digit": options.digit,
        "images": len(x),
        "images_per_second_one_by_one": one_by_one,
        "images_per_second_together": together,
        "gain": together / one_by_one,
        "steps": STEPS,
        "auroc_all_steps": auroc(truth, whole.loss.cpu().numpy()),
        "auroc_early_stopping": auroc(truth, early.loss.cpu().numpy()),
        "mean_steps_early_stopping": early.steps.float().mean().item(),
        "median_loss_all_steps": whole.loss.median().item(),
        "median_loss_early_stopping": early.loss.median().item(),
        "settings": detector.settings.search.model_dump(),
        **environment(detector.device),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "latent_search.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    _draw(detector, x, truth)


def _search(detector: AnoGAN, x: torch.Tensor, record: bool = False, **changes: object) -> Found:
    values = detector.settings.search.model_dump() | {"steps": STEPS} | changes
    return search(detector.gan, x, SearchSettings(**values), record=record)


def _throughput(detector: AnoGAN, few: torch.Tensor, many: torch.Tensor) -> tuple[float, float]:
    """Images per second, one at a time and as batches, with the same fixed number of steps."""
    began = time.perf_counter()
    for image in few:
        _search(detector, image[None], patience=0, steps=100)
    alone = len(few) / (time.perf_counter() - began)
    began = time.perf_counter()
    _search(detector, many, patience=0, steps=100)
    return alone, len(many) / (time.perf_counter() - began)


def _draw(detector: AnoGAN, x: torch.Tensor, truth: np.ndarray) -> None:
    """Median loss by step of normal and anomalous images, with their quartiles."""
    figure = Figure(figsize=(7, 4.2))
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for label, name, colour in ((0, "normal", "#0072B2"), (1, "anomalous", "#D55E00")):
        some = x[torch.from_numpy(truth == label)][:50]
        path = _search(detector, some, record=True, patience=0).trajectory
        best = path.loss.amin(1).cummin(1).values.numpy()
        low, middle, high = np.percentile(best, (25, 50, 75), axis=0)
        axis.fill_between(range(STEPS), low, high, color=colour, alpha=0.2)
        axis.plot(middle, color=colour, label=name)
    axis.set(xlabel="step", ylabel="loss of the best candidate (equation 5)", yscale="log")
    axis.legend(frameon=False)
    figure.savefig(RESULTS / "latent_search.png", dpi=100)


if __name__ == "__main__":
    main()
