import numpy as np
import pytest

from anomgan.data.mnist import read_mnist
from anomgan.errors import InputError


@pytest.mark.parametrize(("train", "count"), [(True, 60_000), (False, 10_000)])
def test_the_original_files_are_read(real_data, train, count):
    images, digits = read_mnist(real_data("mnist"), train)
    assert images.shape == (count, 28, 28) and images.dtype == np.uint8
    assert np.bincount(digits).min() > 0.08 * count
    ones, zeros = images[digits == 1], images[digits == 0]
    assert ones.mean() < 0.6 * zeros.mean(), "a one takes less ink than a zero"


def test_a_folder_without_the_files_is_named(tmp_path):
    with pytest.raises(InputError, match=f"{tmp_path} does not hold MNIST"):
        read_mnist(tmp_path, train=True)
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    for name in ("train-images", "train-labels"):
        for kind in ("idx3", "idx1"):
            (tmp_path / "MNIST" / "raw" / f"{name}-{kind}-ubyte").write_bytes(b"damaged")
    with pytest.raises(InputError, match="does not hold MNIST"):
        read_mnist(tmp_path, train=True)
