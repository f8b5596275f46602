"""Generators on MNIST at 32 px: FID, KID and diversity, and how often cGAN follows its label.

    python benchmarks/mnist_generators.py

The features are those of a classifier trained on 20,000 of the training images. The lower bound are
the same figures for real test images against real training images.
"""

import numpy as np
from generator_study import judge, keep, keep_real, parser_of, trained
from study import DATA, RESULTS

from anomgan.data.mnist import read_mnist
from anomgan.evaluation.classifier import Classifier
from anomgan.evaluation.quality import measure
from anomgan.generators import TrainedGAN
from anomgan.pictures import save_grid

STUDY = "mnist_generators"
METHODS = ("gan", "dcgan", "wgan", "wgan_gp", "stylegan", "cgan")
COUNT = 10_000
"""Number of real and of generated images for each figure."""
CLASSIFIER_IMAGES = 20_000


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    options = parser.parse_args()
    images, digits = read_digits(train=True)
    by_digit = {str(digit): list(images[digits == digit]) for digit in range(10)}
    models = {
        name: trained(STUDY, f"{name}_mnist", by_digit, options.device) for name in options.methods
    }
    if options.only_train:
        return
    classifier = judge(
        STUDY,
        list(by_digit),
        lambda: _some(images, digits),
        size=32,
        steps=1500,
        device=options.device,
    )
    test, truth = read_digits(train=False)
    real = test[np.random.default_rng(0).permutation(len(test))[:COUNT]]
    _keep_floor(classifier, images, real, float(np.mean(classifier.predict(test) == truth)))
    rows = []
    for name, model in models.items():
        assert isinstance(model, TrainedGAN)
        fake = model.sample(COUNT)
        figures = measure(fake, real, classifier)
        if model.names:
            asked = np.arange(COUNT) % len(model.names)
            figures["obeys"] = float(np.mean(classifier.predict(fake) == asked))
        keep(STUDY, model, f"{name}_mnist", figures)
        print(name, figures)
        rows.append(list(fake[:10]))
    save_grid(RESULTS / "mnist_generators.png", rows, [""] * 10, list(models), "First samples")


def read_digits(train: bool) -> tuple[np.ndarray, np.ndarray]:
    """Read images uint8 [N, 32, 32], with a black frame of two pixels, and their digits."""
    images, digits = read_mnist(DATA / "mnist", train)
    return np.pad(images, ((0, 0), (2, 2), (2, 2))), digits


def _some(images: np.ndarray, digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.random.default_rng(0).permutation(len(images))[:CLASSIFIER_IMAGES]
    return images[chosen], digits[chosen]


def _keep_floor(
    classifier: Classifier, images: np.ndarray, real: np.ndarray, accuracy: float
) -> None:
    """Measure real images: no generator can be expected to do better."""
    others = images[np.random.default_rng(1).permutation(len(images))[:COUNT]]
    figures = measure(others, real, classifier)
    keep_real(STUDY, "real images", {"classifier_accuracy": accuracy} | figures)


if __name__ == "__main__":
    main()
