"""Measures the images of a generator against real ones, by the features of a network."""

from collections.abc import Sequence
from itertools import cycle, islice

import numpy as np

from anomgan.data.store import ImageStore
from anomgan.data.views import ViewSampler, to_square
from anomgan.evaluation.classifier import Classifier
from anomgan.evaluation.feature_networks import FeatureNetwork, Images
from anomgan.generators.trained_gan import TrainedGAN
from anomgan.generators.trained_translator import TrainedTranslator
from anomgan.machine.progress import progress_bar
from anomgan.metrics.generation import diversity, fid, kid

Figures = dict[str, float | int | str]


def measure(fake: Images, real: Images, network: FeatureNetwork) -> Figures:
    """FID, KID and diversity of generated images.

    Both sets are reduced to the size of the smaller one, at random but always in the same way. FID
    grows as the number of images falls, so only figures of equal numbers can be compared; `n_fake`
    and `n_real` give that number. The generator should not have been trained on the real images.

    Args:
        fake: generated images, uint8 [N, H, W] or [N, H, W, 3]; at least 2.
        real: real images, prepared as for the training of the generator; at least 2.
        network: whose features are compared; its name is a part of the figures' names.

    Returns:
        "network", "fid_<name>", "kid_<name>" (both 0 at best), "diversity_<name>" (0 when all
        images are the same; at best that of the real ones), "diversity_real_<name>", "n_fake",
        "n_real".

    Raises:
        InputError: there are fewer than 2 images of a kind, or one cannot be used.
    """
    count = min(len(fake), len(real))
    fake_features = network.features(_some(fake, count))
    real_features = network.features(_some(real, count))
    return {
        "network": network.name,
        f"fid_{network.name}": fid(real_features, fake_features),
        f"kid_{network.name}": kid(real_features, fake_features),
        f"diversity_{network.name}": diversity(fake_features),
        f"diversity_real_{network.name}": diversity(real_features),
        "n_fake": count,
        "n_real": count,
    }


def measure_samples(
    model: TrainedGAN,
    images: Sequence[np.ndarray],
    network: FeatureNetwork,
    count: int | None = None,
) -> Figures:
    """Compare generated images with real ones.

    Args:
        model: generates one class after the other, if it has classes.
        images: real ones, prepared as the model prepares them, [h, w, C].
        network: see `measure`; a classifier that knows the classes of the model adds
            "accuracy_classifier".
        count: images to generate; None for as many as there are real ones.
    """
    real = _real_views(model, images, count)
    fake = model.sample(count or len(real))
    # Without a label, `sample` takes one class after the other.
    wanted = list(islice(cycle(model.names), len(fake)))
    return measure(fake, real, network) | _accuracy(network, fake, wanted)


def measure_translations(
    model: TrainedTranslator,
    images: Sequence[np.ndarray],
    labels: np.ndarray,
    names: Sequence[str],
    network: FeatureNetwork,
    count: int | None = None,
) -> list[Figures]:
    """For each domain, compare images of all others translated to it with its own.

    Args:
        model: translates the images.
        images: real ones, prepared as the model prepares them, [h, w, C].
        labels: int [N], the domain of each image as a position in `names`.
        names: of the domains.
        network: see `measure_samples`.
        count: images to translate; None for as many as the domain has.

    Returns:
        Figures of each domain, with its name as "domain".

    Raises:
        SettingsError: the model does not know a domain.
    """
    rows: list[Figures] = []
    rng = np.random.default_rng(0)
    for number, name in enumerate(names):
        own, others = np.flatnonzero(labels == number), np.flatnonzero(labels != number)
        chosen = rng.choice(others, min(len(others), count or len(own)), replace=False)
        with progress_bar(f"translating to {name}", len(chosen)) as report:
            fake = []
            for seed, index in enumerate(chosen):  # StarGAN v2 draws a style for each
                fake.append(model.apply(images[int(index)], model.style(name, seed=seed)))
                report(seed + 1)
        figures = measure(fake, [images[int(i)] for i in own], network)
        rows.append({"domain": name} | figures | _accuracy(network, fake, [name] * len(fake)))
    return rows


def _some(images: Images, count: int) -> Images:
    """`count` of the images, at random, as files are often sorted by class."""
    if count == len(images):
        return images
    chosen = np.random.default_rng(0).choice(len(images), count, replace=False)
    return [images[index] for index in chosen]


def _real_views(model: TrainedGAN, images: Sequence[np.ndarray], count: int | None) -> np.ndarray:
    """The images as the generator saw them in training: whole, or crops."""
    view = model.settings.view
    size = view.size
    if view.kind != "patch":
        return np.stack([to_square(image, size) for image in images])
    with ImageStore() as store:
        for image in images:
            store.append(image)
        number = count or len(images)
        crops = ViewSampler(
            store,
            range(len(store)),
            size=size,
            batch_size=number,
            whole=False,
            past_edge=view.past_edge,
        )
        return crops(0)[0].permute(0, 2, 3, 1).numpy()


def _accuracy(
    network: FeatureNetwork, fake: Sequence[np.ndarray] | np.ndarray, wanted: Sequence[str]
) -> Figures:
    """The share of images that a classifier gives the class they should show."""
    if not isinstance(network, Classifier) or not wanted or not set(wanted) <= set(network.names):
        return {}
    classes = [network.names.index(name) for name in wanted]
    return {"accuracy_classifier": float(np.mean(network.predict(fake) == classes))}
