"""MNIST, one digit normal: AnoGAN and f-AnoGAN on each generator of the library, in equal time.

    python benchmarks/mnist_by_generator.py

Three digits, with 1,000 test images for AnoGAN. The settings are those of `mnist_one_class`, but
for the generator and its training: each GAN gets two minutes. A machine that does other work at the
same time gives other figures.
"""

from study import DATA, ROOT, run

from anomgan.config_files import read_toml
from anomgan.evaluation.benchmark import Contender, contenders
from anomgan.evaluation.sets import DataSet
from anomgan.generators import GENERATORS

BUDGET = ("training.minutes=2", "training.steps=100000")
SHARED = ("latent_dim", "features")
"""Settings of a network that every generator has."""


def on_each_generator(detector: str, config: str) -> list[Contender]:
    """A detector with the settings of a file, once for each generator."""
    values = read_toml(ROOT / "configs" / config)
    values["network"] = {key: values["network"][key] for key in SHARED}
    return [
        contender
        for name in GENERATORS
        for contender in contenders([detector], [], [f"generator={name}", *BUDGET], values)
    ]


if __name__ == "__main__":
    run(
        __doc__,
        "mnist_by_generator",
        (
            DataSet("mnist", DATA / "mnist", "one-class"),
            on_each_generator("f-anogan", "f_anogan_mnist.toml"),
        ),
        (
            DataSet("mnist", DATA / "mnist", "one-class", limit=100),
            on_each_generator("anogan", "anogan_mnist.toml"),
        ),
        categories=["2", "5", "8"],
    )
