"""MNIST, one digit normal or one digit anomalous.

    python benchmarks/mnist.py one-class --detectors ganomaly egbad f_anogan anogan
    python benchmarks/mnist.py leave-one-out --digits 1 5 9

"one-class" trains on one digit's training images and tests on all test images: the others are
anomalous. "leave-one-out" trains on nine digits and tests on all: the tenth is anomalous, the
protocol of EGBAD and GANomaly. Settings were chosen on training images alone, the last 10,000 of
which stood in for the test set.
"""

import argparse

import numpy as np
import torch
from study import DATA, is_done, keep, make, run_cell

from anomgan.data.mnist import read_mnist

DETECTORS = ("ganomaly", "egbad", "f_anogan", "anogan")
PER_DIGIT = 100
"""Test images per digit where a detector is too slow for all of them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocol", choices=["one-class", "leave-one-out"])
    parser.add_argument("--detectors", nargs="+", default=list(DETECTORS))
    parser.add_argument("--digits", nargs="+", type=int, default=list(range(10)))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--subset", nargs="*", default=["anogan"], help="detectors on 1,000 images")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    train, train_digits = read_mnist(DATA / "mnist", train=True)
    test, test_digits = read_mnist(DATA / "mnist", train=False)
    study = "mnist_" + options.protocol.replace("-", "_")
    for seed in options.seeds:
        for digit in options.digits:
            for name in options.detectors:
                config = f"{name}_mnist.toml"
                key = {"config": config, "category": str(digit), "seed": seed}
                if is_done(study, **key):
                    continue
                one_class = options.protocol == "one-class"
                normal = (train_digits == digit) == one_class
                subset = name in options.subset
                chosen = _stratified(test_digits) if subset else np.arange(len(test))
                kinds = [
                    "good" if (test_digits[i] == digit) == one_class else f"digit {test_digits[i]}"
                    for i in chosen
                ]
                normals, images = list(train[normal]), list(test[chosen])
                detector = make(config, seed, options.device)
                about = {
                    "dataset": f"mnist, {len(chosen)} stratified images" if subset else "mnist",
                    "category": str(digit),
                    "protocol": options.protocol,
                    "config": config,
                }
                keep(study, run_cell(detector, normals, images, kinds, **about))


def _stratified(digits: np.ndarray) -> np.ndarray:
    """The first test images of every digit, as many of each."""
    return np.sort(np.concatenate([np.flatnonzero(digits == d)[:PER_DIGIT] for d in range(10)]))


if __name__ == "__main__":
    main()
