"""Our side of the comparison; a job is `train`, `score` or `peak`."""

import time
from pathlib import Path

import task
import torch
import torch.nn.functional as F
from measured import Figures, peak_megabytes

from anomgan import GANomaly, Inspector
from anomgan.config_files import read_toml
from anomgan.data.decode import read_image
from anomgan.detectors import load
from anomgan.detectors.exporter import export_model
from anomgan.inspection.scorer import Pictures, Scorer
from anomgan.training.trainer import Trainer

PAPER = Path(__file__).parents[2] / "configs" / "ganomaly_paper.toml"
SHAPES = ((16, 128, 32), (16, 256, 16), (8, 64, 64), (32, 256, 32))
"""Batch, feature maps and side of the convolutions that the machine is measured with."""


def detector(steps: int, precision: str) -> GANomaly:
    """Settings of the paper, with the sizes that the peer has."""
    values = read_toml(PAPER)
    del values["detector"]
    values["image"]["channels"] = "rgb"
    values["view"]["size"] = task.SIZE
    values["network"] |= {"features": task.FEATURES, "latent_dim": task.LATENT_DIM}
    values["training"] |= {"batch_size": task.BATCH, "steps": steps, "precision": precision}
    values["score"]["precision"] = precision
    return GANomaly(device="cpu", **values)


def train(place: Path, steps: int, precision: str) -> Figures:
    learner = detector(steps, precision).fit(place / "parts")
    learner.save(place / "ours")
    figures = {
        "train": steps * task.BATCH / learner.fitted.facts["seconds"],
        "train_megabytes": peak_megabytes(),
    }
    return figures | train_networks(steps, precision)


def train_networks(steps: int, precision: str) -> Figures:
    """The networks and losses in the loop, on a batch that is there."""
    learner = detector(steps, precision)
    learner.networks = learner.build(task.CHANNELS)
    phase = learner.phases()["ganomaly"]
    pixels = ((task.views() + 1) * 127.5).to(torch.uint8)

    def loop(count: int) -> None:
        training = phase.training.model_copy(update={"steps": count})
        Trainer(phase.recipe, lambda _: [pixels], training, device=learner.device).run()

    return {
        "parameters": task.parameters(learner.networks),
        "train_macs": task.arithmetic(lambda: loop(1)),
        "train_networks": task.per_second(lambda: loop(steps // 2), steps // 2 * task.BATCH),
    }


def score(place: Path, steps: int, precision: str) -> Figures:
    figures = score_with(place / "ours", place)
    if precision == "float32":  # which is what a graph computes in
        export_model(place / "ours", place / "ours.onnx")
        exported = score_with(place / "ours.onnx", place)
        figures |= {f"exported_{name}": value for name, value in exported.items()}
    judge, x = load(place / "ours", "cpu"), task.views()
    with (
        torch.no_grad(),
        torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"),
    ):
        figures["score_macs"] = task.arithmetic(lambda: judge.infer(x))
        figures["score_networks"] = task.per_second(
            lambda: [judge.infer(x) for _ in range(steps)], steps * task.BATCH
        )
    return figures


def score_with(model: Path, place: Path) -> Figures:
    """End to end, with a model folder or an exported file."""
    files = sorted((place / "parts").iterdir())
    scorer = Scorer(model, "cpu", Pictures(place / "pictures"))
    scorer.images_at_once = task.BATCH
    figures = {"files": task.per_second(lambda: list(scorer.rows(files, Path)), len(files))}
    figures["score_megabytes"] = peak_megabytes()
    frames = [read_image(path) for path in files]
    with Inspector.load(model, "cpu") as inspector:

        def inspect(size: int, count: int) -> None:
            for first in range(0, count, size):
                inspector.inspect_batch(frames[first : first + size])

        figures["frames"] = task.per_second(lambda: inspect(task.BATCH, len(frames)), len(frames))
        figures["frames_one_by_one"] = task.per_second(lambda: inspect(1, 64), 64)
    return figures


def peak(*_: object) -> Figures:
    """Multiply-adds per second of the fastest of some convolutions of 3 x 3, in float32."""
    fastest = 0.0
    for batch, width, side in SHAPES:
        x = torch.randn(batch, width, side, side).to(memory_format=torch.channels_last)
        weight = torch.randn(width, width, 3, 3).to(memory_format=torch.channels_last)
        for _ in range(20):
            began = time.perf_counter()
            F.conv2d(x, weight, padding=1)
            seconds = time.perf_counter() - began
            fastest = max(fastest, 9 * batch * width**2 * side**2 / seconds)
    return {"peak_macs_per_second": fastest}


if __name__ == "__main__":
    task.run({"train": train, "score": score, "peak": peak})
