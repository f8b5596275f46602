"""A classifier of your own labelled images: `train_classifier`, `learn_classes`, `load_classifier`.

It measures generated images by its features, and says which class they look like.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomgan.config import TrainingSettings
from anomgan.data.decode import is_grey
from anomgan.data.labels import LabelledImages
from anomgan.data.prepare import Preparation
from anomgan.errors import InputError, ModelError, SettingsError
from anomgan.evaluation.feature_networks import Images, infer, prepare, whole_images
from anomgan.machine.device import choose_device, own_state
from anomgan.model_files import (
    CARD,
    LOSSES,
    RESTORE,
    fit_weights,
    kind_of,
    read_folder,
    write_folder,
)
from anomgan.networks.classifier import ConvClassifier
from anomgan.pictures import save_curves
from anomgan.training.batches import Batches
from anomgan.training.recipe import Adam, Recipe, Update
from anomgan.training.trainer import Trainer

BATCH_SIZE = 64
SMALLEST = 16
"""Pixels; the network halves them four times, to one place."""
SHIFT = 2
"""Largest shift of a training image, in pixels."""
HELD_OUT = 0.2
"""Share of the images that a classifier is tested on."""


class Classifier:
    """A small network that tells classes of images apart.

    Attributes:
        names: of the classes.
        preparation: how images are scaled; grey or RGB.
        network: in evaluation mode.
        history: rows of mean losses; empty when loaded.
    """

    name = "classifier"

    def __init__(self, names: Sequence[str], preparation: Preparation, device: str) -> None:
        self.names = tuple(names)
        self.preparation = preparation
        self.device = choose_device(device)
        self.network = ConvClassifier(preparation.channels, len(self.names))
        self.network.to(self.device).to(memory_format=torch.channels_last).eval()
        self.history: list[dict[str, float]] = []

    def features(self, images: Images) -> np.ndarray:
        """Features float32 [N, 256] of the last hidden layer."""
        return infer(images, self.preparation, lambda x: self.network(x)[1], self.device)

    def probabilities(self, images: Images) -> np.ndarray:
        """The probability of each class, float32 [N, classes]."""
        logits = infer(images, self.preparation, lambda x: self.network(x)[0], self.device)
        return torch.from_numpy(logits).softmax(1).numpy()

    def predict(self, images: Images) -> np.ndarray:
        """The most probable class of each image, int [N], as a position in `names`."""
        return self.probabilities(images).argmax(1)

    def save(self, folder: Path | str) -> None:
        """Write a folder with weights, names of the classes, and the losses of the training.

        Raises:
            InputError: the folder cannot be written to, or holds something else.
        """
        card = {"classes": self.names, "preparation": self.preparation.as_dict()}
        weights = self.network.state_dict()
        write_folder(Path(folder), card, weights, self.history, self._draw_losses)

    def _draw_losses(self, folder: Path) -> None:
        if self.history:
            save_curves(folder / LOSSES, self.history, "Training of the classifier")


def load_classifier(folder: Path | str, device: str = "auto") -> Classifier:
    """Load what `Classifier.save` wrote; nothing in the folder is executed.

    Raises:
        ModelError: the folder is incomplete, damaged, of a newer format, or holds no classifier.
    """
    card, tensors = read_folder(Path(folder), "anomgan generator classifier")
    if "classes" not in card:
        raise ModelError(f"{folder} holds {kind_of(card)}, not a classifier")
    try:
        names = [str(name) for name in card["classes"]]
        preparation = Preparation.from_dict(card["preparation"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{Path(folder) / CARD} is damaged: {error}; {RESTORE}") from error
    weights = fit_weights(
        lambda: ConvClassifier(preparation.channels, len(names)), tensors, Path(folder)
    )
    with own_state(choose_device(device)):
        classifier = Classifier(names, preparation, device)
    classifier.network.load_state_dict(weights)
    return classifier


def train_classifier(
    images: Images,
    labels: np.ndarray,
    names: Sequence[str],
    *,
    size: int,
    steps: int,
    seed: int = 0,
    device: str = "auto",
) -> Classifier:
    """Train a classifier; the same seed gives the same one, on a CPU.

    Images are shifted at random by up to 2 pixels. They are not mirrored, which would change digits
    and most parts.

    Args:
        images: scaled so that the longer side is `size`, and made square by reflection.
        labels: int [N], the class of each image as a position in `names`.
        names: of the classes.
        size: pixels; side of the images that the network sees, at least 16.
        steps: training steps, of 64 images each.
        seed: of weights and batches.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        SettingsError: `size` is too small.
        InputError: an image cannot be used, or images, labels and names do not fit each other.
        TrainingError: the loss is not finite.
        Interrupted: Ctrl-C was pressed.
    """
    if size < SMALLEST:
        raise SettingsError(f"size = {size}: must be at least {SMALLEST}")
    labels = _checked(labels, len(images), names)
    preparation = whole_images(size, channels=1 if all(map(is_grey, images)) else 3)
    views = prepare(images, preparation)
    with own_state(choose_device(device)):
        torch.manual_seed(seed)
        classifier = Classifier(names, preparation, device)
        trainer = Trainer(
            _Classification(classifier.network),
            _shifted_batches(views, labels, seed),
            TrainingSettings(steps=steps, batch_size=BATCH_SIZE, decay_from=0.0, ema=0.0),
            device=classifier.device,
            seed=seed,
        )
        classifier.history = trainer.run("training a classifier").history
    classifier.network.eval()
    return classifier


@dataclass(frozen=True)
class Lesson:
    """A trained classifier and its accuracy.

    Attributes:
        classifier: trained on most of the images.
        accuracy: share of the held-out images that it classifies correctly.
        held_out: number of held-out images.
    """

    classifier: Classifier
    accuracy: float
    held_out: int


def learn_classes(
    images: Sequence[np.ndarray],
    labels: np.ndarray,
    names: Sequence[str],
    *,
    size: int,
    steps: int,
    seed: int = 0,
    device: str = "auto",
) -> Lesson:
    """Train a classifier on most of the images of each class, and test it on the others.

    Args:
        images: uint8 [h, w] or [h, w, C].
        labels: int [N], the class of each image as a position in `names`.
        names: of the classes.
        size: pixels; side of the images that the classifier sees.
        steps: training steps.
        seed: of weights, batches and the choice of images.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        InputError: a class has a single image.
        SettingsError: `size` is too small.
    """
    rng = np.random.default_rng(seed)
    held: list[int] = []
    for number, name in enumerate(names):
        members = rng.permutation(np.flatnonzero(labels == number))
        if len(members) < 2:
            raise InputError(
                f"class {name} has a single image; it takes one to learn from and one to test"
            )
        held += members[: max(1, round(HELD_OUT * len(members)))].tolist()
    kept = np.setdiff1d(np.arange(len(labels)), held)
    classifier = train_classifier(
        [images[int(i)] for i in kept],
        labels[kept],
        names,
        size=size,
        steps=steps,
        seed=seed,
        device=device,
    )
    said = classifier.predict([images[i] for i in held])
    return Lesson(classifier, float(np.mean(said == labels[held])), len(held))


def classes_of(found: LabelledImages) -> tuple[np.ndarray, tuple[str, ...]]:
    """The class of each image as a position in the names, and the names.

    Raises:
        InputError: there are attributes, or several data sets.
    """
    if len(found.sets) != 1 or not found.sets[0].exclusive:
        raise InputError(
            "the labels must be classes or domains that exclude each other; these are attributes"
        )
    return found.labels.argmax(1), found.sets[0].names


class _Classification(Recipe):
    """Cross-entropy of the classes."""

    players = {"classifier": ("classifier",)}
    optimiser = Adam(2e-3, 0.9, 0.999)

    def __init__(self, network: ConvClassifier) -> None:
        self.networks = nn.ModuleDict({"classifier": network})

    def step(self, x: Tensor, c: Tensor) -> Iterator[Update]:
        """Yield the one update; c holds the class of each view, int64 [N]."""
        loss = F.cross_entropy(self.networks["classifier"](x)[0], c)
        yield Update("classifier", loss, {"cross-entropy": loss})


def _shifted_batches(views: np.ndarray, labels: np.ndarray, seed: int) -> Batches:
    """Batches of views [N, size, size, C], moved at random, with their labels."""
    margins = ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0))
    padded, size = np.pad(views, margins, mode="reflect"), views.shape[1]

    def batch(step: int) -> list[Tensor]:
        rng = np.random.default_rng((seed, step))
        chosen = rng.integers(len(views), size=BATCH_SIZE)
        corners = rng.integers(2 * SHIFT + 1, size=(BATCH_SIZE, 2))
        moved = [
            padded[index, top : top + size, left : left + size]
            for index, (top, left) in zip(chosen, corners, strict=True)
        ]
        x = torch.from_numpy(np.stack(moved)).permute(0, 3, 1, 2)
        return [x, torch.from_numpy(labels[chosen])]

    return batch


def _checked(labels: np.ndarray, count: int, names: Sequence[str]) -> np.ndarray:
    """The labels as int64 [count], each a position in `names`."""
    labels = np.asarray(labels)
    if count == 0 or labels.shape != (count,):
        raise InputError(f"{count} images and labels {labels.shape}: each image needs one label")
    if not np.issubdtype(labels.dtype, np.integer) or not np.isin(labels, range(len(names))).all():
        raise InputError(f"labels must be whole numbers from 0 to {len(names) - 1}, by the names")
    return labels.astype(np.int64)
