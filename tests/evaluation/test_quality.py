import numpy as np
import pytest
import torch
from digits import load

from anomgan.errors import InputError
from anomgan.evaluation.quality import OUTPUTS, measure, measure_translations
from anomgan.generators import train_generator
from anomgan.metrics.generation import diversity, fid, kid


class Means:
    """Means and deviations of the quarters of an image: features that can be worked out by hand."""

    name = "means"

    def features(self, images):
        x = np.asarray(images, float)
        quarters = x.reshape(len(x), 2, x.shape[1] // 2, 2, x.shape[2] // 2)
        return np.concatenate(
            [quarters.mean((2, 4)).reshape(-1, 4), quarters.std((2, 4)).reshape(-1, 4)], 1
        )


@pytest.fixture
def real(rng):
    level = rng.integers(40, 200, (300, 2, 2))
    return (np.kron(level, np.ones((4, 4))) + rng.integers(0, 40, (300, 8, 8))).astype(np.uint8)


def test_a_set_is_at_no_distance_from_itself(real):
    figures = measure(real, real, Means())
    assert figures["fid_means"] == pytest.approx(0, abs=1e-3)
    assert figures["kid_means"] < 0.01 * measure(255 - real // 2, real, Means())["kid_means"]
    assert figures["diversity_means"] == figures["diversity_real_means"]


def test_figures_are_those_of_the_features(real):
    fake = 255 - real[:100]
    real = real[100:200]
    figures = measure(fake, real, Means())
    a, b = Means().features(fake), Means().features(real)
    assert figures == {
        "network": "means",
        "fid_means": fid(b, a),
        "kid_means": kid(b, a),
        "diversity_means": diversity(a),
        "diversity_real_means": diversity(b),
        "n_fake": 100,
        "n_real": 100,
    }


def test_the_worse_the_images_the_larger_the_distances(real):
    figures = [
        measure(np.clip(real[:150] + shift, 0, 255).astype(np.uint8), real[150:], Means())
        for shift in (0, 20, 60)
    ]
    for name in ("fid_means", "kid_means"):
        assert figures[0][name] < figures[1][name] < figures[2][name]


def test_a_collapsed_generator_has_hardly_any_diversity(real, rng):
    fake = real[:1] + rng.integers(0, 3, (150, 8, 8), dtype=np.uint8)
    figures = measure(fake, real[150:], Means())
    assert figures["diversity_means"] < 0.05 * figures["diversity_real_means"]
    assert figures["fid_means"] > measure(real[:150], real[150:], Means())["fid_means"]


def test_as_many_are_compared_as_the_smaller_set_has_not_only_the_first(real):
    sorted_by_level = real[np.argsort(real.mean((1, 2)))]
    figures = measure(real[::6], sorted_by_level, Means())
    assert figures["n_fake"] == figures["n_real"] == 50
    darkest = measure(real[::6], sorted_by_level[:50], Means())
    assert figures["fid_means"] < 0.2 * darkest["fid_means"]
    assert figures == measure(real[::6], list(sorted_by_level), Means())


def test_one_image_has_no_distribution(real):
    with pytest.raises(InputError, match="at least 2 real and 2 generated images"):
        measure(real[:1], real, Means())


class MeanDifference:
    """A distance that can be worked out by hand; keeps the images that it was given."""

    name = "mean"

    def __init__(self):
        self.seen = []

    def among(self, images):
        self.seen.append(images)
        return float(np.ptp([image.mean() for image in images]))


def test_diversity_of_styles_is_that_of_ten_translations_of_one_image():
    images = load()[0][:24, ::2, ::2]
    domains = {"a": list(images[:12]), "b": list(255 - images[12:])}
    model = train_generator(
        domains,
        generator="stargan_v2",
        device="cpu",
        view={"size": 16},
        network={"features": 4, "latent_dim": 4, "style_dim": 8, "hidden": 16},
        training={"steps": 2, "batch_size": 4},
    )
    prepared = [model.preparation(image) for some in domains.values() for image in some]
    labels, names = np.repeat([0, 1], 12), list(domains)

    def rows(distance):
        return measure_translations(model, prepared, labels, names, Means(), 3, distance)

    distance = MeanDifference()
    found = rows(distance)
    assert [(row["domain"], row["guide"]) for row in found] == [
        (name, guide) for name in names for guide in ("latent", "reference")
    ]
    assert [len(outputs) for outputs in distance.seen] == [OUTPUTS] * 12
    assert all(row["diversity_mean"] > 0 for row in found)
    for name, weight in model.method.networks["generator"].named_parameters():
        if "affine" in name:
            torch.nn.init.zeros_(weight)  # the style has no effect any more
    assert all(row["diversity_mean"] == 0 for row in rows(MeanDifference()))
    assert all("diversity_mean" not in row for row in rows(None))
