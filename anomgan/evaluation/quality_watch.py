"""Quality during a training: KID on the same real images and latent vectors, again and again."""

from collections.abc import Sequence

import numpy as np

from anomgan.data.labels import LabelledImages
from anomgan.data.normals import Source, read_source
from anomgan.errors import InputError
from anomgan.evaluation.classifier import classes_of
from anomgan.evaluation.feature_networks import FeatureNetwork
from anomgan.evaluation.quality import real_views
from anomgan.generators.trained import TrainedGenerator
from anomgan.generators.trained_gan import TrainedGAN
from anomgan.generators.trained_translator import TrainedTranslator
from anomgan.metrics.generation import kid

COUNT = 500
"""Real and generated images of one measurement."""


class QualityWatch:
    """Measures the KID of a generator that is being trained.

    KID is unbiased, so that few images are enough to see whether a generator gets better. A
    translator takes images of all other domains to each domain, and its figure is the mean over
    the domains.

    Args:
        images: real ones; some of them are chosen once and for all, of each class equally many if
            there are enough. With classes or domains if the method learns them.
        network: whose features are compared; its name is a part of the figure's name.
        count: images to choose, and images to generate.

    Raises:
        InputError: the labels are attributes, or several data sets; or there are fewer than two
            images of a class.
    """

    def __init__(
        self,
        images: LabelledImages | Sequence[Source],
        network: FeatureNetwork,
        count: int = COUNT,
    ) -> None:
        if isinstance(images, LabelledImages):
            sources, (classes, names) = images.sources, classes_of(images)
        else:
            sources, classes, names = list(images), np.zeros(len(images), int), ("",)
        chosen = _in_turn(classes, names)[:count]
        self.sources = [sources[index] for index in chosen]
        self.classes = classes[chosen]
        self.network = network
        self.count = count
        self.prepared: list[np.ndarray] = []
        self.real: dict[int, np.ndarray] = {}

    def __call__(self, model: TrainedGenerator) -> dict[str, float]:
        """The figure "kid_<network>" of a generator as it is now."""
        if not self.prepared:
            self.prepared = [model.preparation(read_source(one)) for one in self.sources]
        if isinstance(model, TrainedTranslator):
            value = self._of_translations(model)
        else:
            assert isinstance(model, TrainedGAN)
            if not self.real:
                self.real[0] = self.network.features(real_views(model, self.prepared, self.count))
            value = kid(self.real[0], self.network.features(model.sample(self.count)))
        return {f"kid_{self.network.name}": value}

    def _of_translations(self, model: TrainedTranslator) -> float:
        distances = []
        for number, name in enumerate(model.names):
            own = np.flatnonzero(self.classes == number)
            if number not in self.real:
                self.real[number] = self.network.features([self.prepared[i] for i in own])
            others = np.flatnonzero(self.classes != number)[: len(own)]
            fake = [
                model.apply(self.prepared[index], model.style(name, seed=seed))
                for seed, index in enumerate(others)
            ]
            distances.append(kid(self.real[number], self.network.features(fake)))
        return float(np.mean(distances))


def _in_turn(classes: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Positions of all images, one of each class after the other, at random within a class."""
    rng = np.random.default_rng(0)
    turns = np.zeros(len(classes), int)
    for number, name in enumerate(names):
        members = np.flatnonzero(classes == number)
        if len(members) < 2:
            of = f" of {name}" if name else ""
            raise InputError(f"measuring the quality takes at least 2 images{of}")
        turns[rng.permutation(members)] = np.arange(len(members))
    return turns.argsort(stable=True)
