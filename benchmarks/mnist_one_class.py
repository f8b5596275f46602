"""MNIST, one digit normal: train on it, test on all test images; AnoGAN on 1,000 of them.

    python benchmarks/mnist_one_class.py

Settings were chosen on training images only; the last 10,000 of them served as the test set.
"""

from study import BASELINES, DATA, FAST, run, with_settings

from anomgan.evaluation.sets import DataSet

if __name__ == "__main__":
    run(
        __doc__,
        "mnist_one_class",
        (DataSet("mnist", DATA / "mnist", "one-class"), with_settings("mnist", FAST + BASELINES)),
        (
            DataSet("mnist", DATA / "mnist", "one-class", limit=100),
            with_settings("mnist", ["anogan"]),
        ),
    )
