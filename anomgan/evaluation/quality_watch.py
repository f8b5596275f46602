"""Quality during a training: KID on the same real images and latent vectors, again and again."""

from collections.abc import Sequence

import numpy as np

from anomgan.data.labels import LabelledImages
from anomgan.data.normals import Source, read_source
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
        images: real ones; some of them are chosen once and for all. With classes or domains if the
            method learns them.
        network: whose features are compared; its name is a part of the figure's name.
        count: images to choose, and images to generate.

    Raises:
        InputError: the labels are attributes, or several data sets.
    """

    def __init__(
        self,
        images: LabelledImages | Sequence[Source],
        network: FeatureNetwork,
        count: int = COUNT,
    ) -> None:
        labelled = isinstance(images, LabelledImages)
        sources = list(images.sources) if isinstance(images, LabelledImages) else list(images)
        classes = classes_of(images)[0] if isinstance(images, LabelledImages) else np.zeros(0)
        chosen = np.random.default_rng(0).permutation(len(sources))[:count]
        self.sources = [sources[index] for index in chosen]
        self.classes = classes[chosen] if labelled else np.zeros(len(chosen), int)
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
