"""MNIST, one digit anomalous: the protocol of EGBAD and GANomaly; AnoGAN on 1,000 test images.

    python benchmarks/mnist_leave_one_out.py

Trains on nine digits with the settings of the other protocol. On a CPU, it measures three digits
unless --categories is given.
"""

from study import BASELINES, DATA, FAST, run, with_settings

from anomgan.evaluation.sets import DataSet

if __name__ == "__main__":
    run(
        __doc__,
        "mnist_leave_one_out",
        (
            DataSet("mnist", DATA / "mnist", "leave-one-out"),
            with_settings("mnist", FAST + BASELINES),
        ),
        (
            DataSet("mnist", DATA / "mnist", "leave-one-out", limit=100),
            with_settings("mnist", ["anogan"]),
        ),
        categories=["1", "5", "9"],
    )
