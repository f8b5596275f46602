"""The plan that `anomgan fit` prints before it starts: image size and estimated time."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from anomgan.detectors.base import Detector
from anomgan.detectors.turning import ENOUGH, TURNS
from anomgan.training.recipe import Phase

SMALLEST = 8
"""Pixels, as the backbone sees an image, of the smallest defect that usually shows."""
VECTORS = 2
"""Vectors per place: features and remainder, the slower case, with eigenmaps."""
LOOKED_AT = 50
"""Images whose size is read: so many, or some more."""
SQUARE = (1, 1)
"""Shape of a small square image, which is seen at the usual size. No other costs more."""
BESIDES = 1.3
"""Factor for the time of a training step besides the networks: batches, averages, optimiser."""


def describe_plan(detector: Detector, paths: Sequence[Path]) -> list[str]:
    """Describe how the networks will see the images, and how long the fit will take.

    In pixel space, there is nothing to describe.

    Raises:
        InputError: the weights of the backbone are not available.
        SettingsError: the backbone is unknown.
    """
    loaded = detector.load_backbone()
    if detector.feature_space is None:
        return []
    sizes = _sizes(paths)
    seen = detector.feature_space.long_side(sizes or [SQUARE])
    through = ", ".join(f"{one['name']} ({one['licence']})" for one in loaded)
    lines = [f"Images are seen at {seen} px on the longer side, through {through}."]
    if sizes:
        lines.append(_describe_loss(float(np.median([max(size) for size in sizes])), seen))
    minutes = estimate_seconds(detector, len(paths)) / 60
    return [*lines, f"This will take about {max(1, round(minutes))} min on {detector.device}."]


def _describe_loss(longest: float, seen: int) -> str:
    """Describe how small a defect may be in images that are `longest` px long."""
    text = f"A defect below about {SMALLEST * longest / seen:.0f} px of the original is lost"
    if longest <= seen:
        return f"{text}."
    finer = min(2 * seen, round(longest))
    return (
        f"{text}; with --set backbone.long_side={finer} one of {SMALLEST * longest / finer:.0f} px "
        f"is seen, at {(finer / seen) ** 2:.1f} times the cost."
    )


def estimate_seconds(detector: Detector, images: int) -> float:
    """Estimate how long a fit will take, from the time of one image and one step of each phase."""
    assert detector.feature_space is not None
    space, device = detector.feature_space, detector.device
    side = -(-space.long_side([SQUARE]) // space.grid.multiple) * space.grid.multiple
    image = torch.zeros(1, 3, side, side, device=device)
    with torch.no_grad():
        per_image = _seconds(lambda: space.extractor(image))
    detector.networks = detector.build(VECTORS * detector.settings.backbone.directions)
    backbone, calibration = detector.settings.backbone, detector.settings.calibration
    if backbone.align == backbone.augment == "auto":
        images = max(images, min(ENOUGH, images * (1 + len(TURNS))))  # turned copies are tried
    times = calibration.folds if calibration.method == "folds" else 1
    phases = detector.phases().values()
    return images * per_image + sum(_seconds_of_phase(one, detector, times) for one in phases)


def _seconds_of_phase(phase: Phase, detector: Detector, times: int) -> float:
    training = phase.training
    size = training.batch_size * phase.recipe.batches_per_step
    channels = VECTORS * detector.settings.backbone.directions
    x = torch.randn(size, channels, 1, 1, device=detector.device)
    phase.recipe.networks.to(detector.device).train()

    def step() -> None:
        phase.recipe.difficulty(x)
        for update in phase.recipe.step(x):
            update.loss.backward()

    seconds = times * training.steps * BESIDES * _seconds(step)
    return min(seconds, 60 * training.minutes) if training.minutes else seconds


def _seconds(work: Callable[[], object]) -> float:
    work()  # the first call takes longer
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _sizes(paths: Sequence[Path]) -> list[tuple[int, int]]:
    """Read the sizes of some images, in pixels; the fit will report unreadable images."""
    sizes = []
    for path in paths[:: max(1, len(paths) // LOOKED_AT)]:
        if not path.is_file():  # to open a pipe may take for ever
            continue
        try:
            with Image.open(path) as image:
                sizes.append(image.size)
        except Exception:  # Pillow meets damaged files with exceptions of every kind
            continue
    return sizes
