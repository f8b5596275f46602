"""MNIST, one digit normal: AnoGAN and f-AnoGAN on each generator of the library, in equal time.

    python benchmarks/mnist_by_generator.py --workers 1

Two digits; 1,000 test images for f-AnoGAN, 500 for AnoGAN. Each GAN is trained for two minutes in
the same batches. Widths and latent vectors are those of f-AnoGAN in `mnist_one_class`, all else of
the GAN is as in `mnist_generators`, and all else of the detectors as in `mnist_one_class`. A
machine that does other work at the same time gives other figures.
"""

from dataclasses import replace
from typing import Any

from study import DATA, ROOT, run

from anomgan.config_files import read_toml
from anomgan.evaluation.benchmark import Contender, contenders
from anomgan.evaluation.sets import DataSet
from anomgan.generators import GENERATORS

BUDGET = {"minutes": 2.0, "steps": 100_000, "batch_size": 32}
WIDTHS = {"features": 8, "latent_dim": 12}
CALIBRATION = ("calibration.share=0.02",)
"""As many images for f-AnoGAN as for AnoGAN, whose search is slow."""


def on_each_generator(detector: str, config: str) -> list[Contender]:
    """A detector with the settings of a file, once for each generator, which gives its name."""
    values = read_toml(ROOT / "configs" / config)
    found = []
    for name in GENERATORS:
        base = values | {"generator": name} | generator_settings(name)
        (contender,) = contenders([detector], [], CALIBRATION, base)
        found.append(replace(contender, config=name))
    return found


def generator_settings(name: str) -> dict[str, Any]:
    """Network and training of a GAN; one learning rate for all would be wrong for most."""
    own = read_toml(ROOT / "configs" / "generators" / f"{name}_mnist.toml")
    method = GENERATORS[name]
    training = {"learning_rate": method.optimiser.learning_rate, **own["training"], **BUDGET}
    return {
        "network": method.settings_type(**own["network"] | WIDTHS).model_dump(),
        "training": training,
    }


if __name__ == "__main__":
    run(
        __doc__,
        "mnist_by_generator",
        (
            DataSet("mnist", DATA / "mnist", "one-class", limit=100),
            on_each_generator("f-anogan", "f_anogan_mnist.toml"),
        ),
        (
            DataSet("mnist", DATA / "mnist", "one-class", limit=50),
            on_each_generator("anogan", "anogan_mnist.toml"),
        ),
        categories=["2", "8"],
    )
