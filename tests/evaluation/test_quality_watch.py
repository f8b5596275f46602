import numpy as np
import pytest
from digits import load

from anomgan.data.labels import LabelledImages, LabelSet, from_domains
from anomgan.errors import InputError
from anomgan.evaluation.quality_watch import QualityWatch
from anomgan.generators import train_generator


class Brightness:
    """Mean and deviation of an image: features that can be worked out by hand."""

    name = "brightness"

    def features(self, images):
        return np.array([[np.mean(image), np.std(image)] for image in images]) / 100


@pytest.fixture(scope="module")
def images():
    return list(load()[0][:80, ::2, ::2])


def test_the_kid_of_a_generator_falls_as_it_learns(images):
    model = train_generator(
        images,
        generator="dcgan",
        device="cpu",
        view={"size": 16},
        network={"latent_dim": 4, "features": 4},
        training={"steps": 120, "batch_size": 16, "learning_rate": 2e-3, "ema": 0.9},
        quality=QualityWatch(images, Brightness(), 60),
        quality_every=20,
    )
    found = [row["kid_brightness"] for row in model.history if "kid_brightness" in row]
    assert len(found) == 6 and found[-1] < 0.5 * found[0]
    assert model.best


def test_a_translator_is_measured_in_every_domain(images):
    domains = {"a": images[:20], "b": [255 - image for image in images[20:40]]}
    labelled = from_domains(domains)
    small = {"steps": 1, "batch_size": 2}
    network = {"features": 2, "blocks": 1, "patch_layers": 1}
    model = train_generator(
        labelled,
        generator="cyclegan",
        device="cpu",
        view={"size": 16},
        network=network,
        training=small,
    )
    watch = QualityWatch(labelled, Brightness())
    figures = watch(model)
    assert figures == watch(model), "always on the same images"
    assert list(figures) == ["kid_brightness"] and figures["kid_brightness"] > 0


def test_a_rare_domain_is_among_the_images_that_are_chosen(images):
    watch = QualityWatch(from_domains({"a": images[:60], "b": images[60:63]}), Brightness(), 8)
    assert np.bincount(watch.classes).tolist() == [5, 3]


def test_a_single_image_cannot_be_measured_and_that_is_said_before_the_training(images):
    with pytest.raises(InputError, match="at least 2 images of b"):
        QualityWatch(from_domains({"a": images[:60], "b": images[60:61]}), Brightness())
    with pytest.raises(InputError, match="at least 2 images"):
        QualityWatch(images[:1], Brightness())


def test_attributes_cannot_be_measured_and_that_is_said_before_the_training(images):
    traits = (LabelSet(("round", "thin"), exclusive=False),)
    labelled = LabelledImages(images[:4], np.ones((4, 2), np.float32), traits, np.zeros(4, int))
    with pytest.raises(InputError, match="classes or domains"):
        QualityWatch(labelled, Brightness())
