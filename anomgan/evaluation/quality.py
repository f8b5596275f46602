"""Measures the images of a generator against real ones, by the features of a network."""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Literal

import numpy as np
from torch import Tensor

from anomgan.data.store import ImageStore
from anomgan.data.views import ViewSampler, to_square
from anomgan.evaluation.classifier import Classifier
from anomgan.evaluation.feature_networks import FeatureNetwork, Images
from anomgan.evaluation.perceptual import PerceptualDistance
from anomgan.generators.trained_gan import TrainedGAN
from anomgan.generators.trained_translator import TrainedTranslator
from anomgan.machine.progress import progress_bar
from anomgan.metrics.generation import diversity, fid, kid

Figures = dict[str, float | int | str]
Guide = Literal["latent", "reference"]
"""Where a translation gets its style: from a random latent vector, or from a reference image."""
OUTPUTS = 10
"""Translations of one image that are compared with each other (Choi et al. 2020, section 4)."""


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
    fake_features, real_features = _features(fake, real, network)
    return _compare(fake_features, real_features, network) | {
        f"diversity_{network.name}": diversity(fake_features),
        f"diversity_real_{network.name}": diversity(real_features),
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
    real = real_views(model, images, count)
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
    distance: PerceptualDistance | None = None,
) -> list[Figures]:
    """For each domain, compare images of all others translated to it with its own.

    A method with styles (StarGAN v2) is measured as its authors do, twice for each domain: with
    random styles and with styles of random reference images. Every image is translated in ten
    styles, and its diversity is the mean distance of these ten to each other. It is 0 for a method
    without styles, and pairs of translations of different images say nothing about it.

    Args:
        model: translates the images.
        images: real ones, prepared as the model prepares them, [h, w, C].
        labels: int [N], the domain of each image as a position in `names`.
        names: of the domains.
        network: see `measure_samples`.
        count: images to translate; None for as many as the domain has.
        distance: for the diversity of a method with styles; None leaves it out.

    Returns:
        Figures of each domain, with its name as "domain"; for a method with styles also "guide",
        which is "latent" or "reference", and "diversity_<distance>".

    Raises:
        SettingsError: the model does not know a domain.
    """
    rows: list[Figures] = []
    rng = np.random.default_rng(0)
    guides: list[Guide | None] = ["latent", "reference"] if model.method.has_styles else [None]
    for number, name in enumerate(names):
        own, others = np.flatnonzero(labels == number), np.flatnonzero(labels != number)
        chosen = rng.choice(others, min(len(others), count or len(own)), replace=False)
        real, sources = ([images[int(i)] for i in some] for some in (own, chosen))
        for guide in guides:
            outputs = _translate(model, sources, name, guide, real)
            fake = [image for some in outputs for image in some]
            figures: Figures = {"domain": name}
            if guide:
                figures["guide"] = guide
            figures |= _compare(*_features(fake, real, network), network)
            if guide and distance:
                spread = np.mean([distance.among(some) for some in outputs])
                figures[f"diversity_{distance.name}"] = float(spread)
            rows.append(figures | _accuracy(network, fake, [name] * len(fake)))
    return rows


def _translate(
    model: TrainedTranslator,
    sources: Sequence[np.ndarray],
    to: str,
    guide: Guide | None,
    real: Sequence[np.ndarray],
) -> list[list[np.ndarray]]:
    """The translations of each image: one in each of its styles."""
    found = []
    with progress_bar(f"translating to {to}", len(sources)) as report:
        for number, image in enumerate(sources):
            styles = _styles(model, to, guide, number, real)
            found.append([model.apply(image, style) for style in styles])
            report(number + 1)
    return found


def _styles(
    model: TrainedTranslator, to: str, guide: Guide | None, number: int, real: Sequence[np.ndarray]
) -> Iterator[Tensor]:
    """Styles for the image of a number; ten if a guide gives them, one if there are none."""
    if guide is None:
        yield model.style(to)
    elif guide == "latent":
        for turn in range(OUTPUTS):
            yield model.style(to, seed=number * OUTPUTS + turn)
    else:
        shown = np.random.default_rng(number).choice(
            len(real), OUTPUTS, replace=len(real) < OUTPUTS
        )
        for index in shown:
            yield model.style_of(real[int(index)], to)


def _features(fake: Images, real: Images, network: FeatureNetwork) -> tuple[np.ndarray, np.ndarray]:
    """Features of equally many generated and real images."""
    count = min(len(fake), len(real))
    return network.features(_some(fake, count)), network.features(_some(real, count))


def _compare(fake: np.ndarray, real: np.ndarray, network: FeatureNetwork) -> Figures:
    return {
        "network": network.name,
        f"fid_{network.name}": fid(real, fake),
        f"kid_{network.name}": kid(real, fake),
        "n_fake": len(fake),
        "n_real": len(real),
    }


def _some(images: Images, count: int) -> Images:
    """`count` of the images, at random, as files are often sorted by class."""
    if count == len(images):
        return images
    chosen = np.random.default_rng(0).choice(len(images), count, replace=False)
    return [images[index] for index in chosen]


def real_views(model: TrainedGAN, images: Sequence[np.ndarray], count: int | None) -> np.ndarray:
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
