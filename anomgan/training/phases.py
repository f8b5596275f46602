"""Trains a phase of any method on prepared images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from anomgan.config import LearningSettings
from anomgan.data.labels import LabelledImages
from anomgan.data.store import ImageStore
from anomgan.data.vectors import Vectors, VectorSampler
from anomgan.data.views import ViewSampler
from anomgan.training.batches import Batches
from anomgan.training.hard import to_draw
from anomgan.training.monitor import Monitor
from anomgan.training.recipe import Phase
from anomgan.training.trainer import Trainer, TrainingSummary

BUDGET = {"steps", "minutes", "checkpoint_minutes"}
"""Training settings that may change on a resume; the others must stay the same."""


def train_phase(
    name: str,
    phase: Phase,
    batches: Batches,
    settings: LearningSettings,
    *,
    fingerprint: str,
    device: torch.device,
    work_folder: Path | None = None,
    resume: bool = False,
    monitor: Monitor | None = None,
    facts: Mapping[str, Any] | None = None,
) -> TrainingSummary:
    """Train a phase; its checkpoint is `<work_folder>/<name>.safetensors`.

    Args:
        name: of the phase.
        phase: recipe and training settings.
        batches: training batches: `view_batches` or `vector_batches`.
        settings: all settings of the model; a resumed run must have the same, except the budget.
        fingerprint: of the images; a resumed run must have the same.
        device: where to train.
        work_folder: folder of the checkpoint; None for no checkpoint.
        resume: continue from the checkpoint.
        monitor: what to do between steps; None for nothing.
        facts: more that a resumed run must share, by names for messages.

    Raises:
        TrainingError: a loss is not finite, or the checkpoint does not match this run.
        Interrupted: Ctrl-C was pressed; a checkpoint is saved.
    """
    trainer = Trainer(
        phase.recipe,
        batches,
        phase.training,
        device=device,
        seed=settings.seed,
        checkpoint=work_folder / f"{name}.safetensors" if work_folder else None,
        facts={
            "settings": settings.model_dump(exclude={"training": BUDGET}, mode="json"),
            "images": fingerprint,
            **(facts or {}),
        },
        monitor=monitor,
    )
    return trainer.run(f"training {name}", resume)


def view_batches(
    phase: Phase,
    store: ImageStore,
    indices: Sequence[int],
    settings: LearningSettings,
    labelled: LabelledImages | None = None,
) -> ViewSampler:
    """Make training batches of views of some images, with their labels if there are any."""
    return ViewSampler(
        store,
        indices,
        size=settings.view.size,
        batch_size=phase.training.batch_size * phase.recipe.batches_per_step,
        whole=settings.view.kind != "patch",
        flip=settings.view.flip,
        past_edge=settings.view.past_edge,
        labelled=labelled,
        batches=phase.recipe.batches_per_step,
        seed=settings.seed,
    )


def vector_batches(phase: Phase, vectors: Vectors, seed: int) -> VectorSampler:
    """Make training batches of feature vectors, with candidates for the hard ones."""
    training = phase.training
    size = training.batch_size * phase.recipe.batches_per_step
    return VectorSampler(vectors, to_draw(size, training.hard_share), seed)
