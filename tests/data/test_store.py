from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.data.store import ImageStore
from anomgan.errors import InputError


def fill(store, rng, count=6):
    images = [
        rng.integers(0, 256, (int(h), int(w), int(c)), dtype=np.uint8)
        for h, w, c in zip(rng.integers(5, 20, count), rng.integers(5, 20, count), [1, 3] * 3)
    ]
    first = len(store)
    assert [store.append(image) for image in images] == list(range(first, first + count))
    return images


@pytest.mark.parametrize("limit", [10**9, 700, 0])
def test_images_come_back_in_memory_and_from_disk(rng, tmp_path, limit):
    with ImageStore(memory_limit=limit, folder=tmp_path) as store:
        images = fill(store, rng)
        assert len(store) == len(images)
        for index, image in enumerate(images):
            assert store.shape(index) == image.shape
            assert (store[index] == image).all()


def test_threads_read_and_more_is_added_meanwhile(rng, tmp_path):
    with ImageStore(memory_limit=0, folder=tmp_path) as store, ThreadPoolExecutor(8) as pool:
        images = [rng.integers(0, 256, (100, 100, 3), dtype=np.uint8) for _ in range(8)]
        for image in images:
            store.append(image)
        read = pool.map(lambda turn: (store[turn % 8] == images[turn % 8]).all(), range(10_000))
        images += fill(store, rng)
        assert all(read)
        assert all((store[index] == image).all() for index, image in enumerate(images))


@given(st.integers(0, 2**32 - 1), st.sampled_from([10**9, 0]))
def test_crops_equal_slices(seed, limit):
    rng = np.random.default_rng(seed)
    with ImageStore(memory_limit=limit) as store:
        images = fill(store, rng)
        index = int(rng.integers(len(images)))
        height, width, _ = images[index].shape
        top, left = int(rng.integers(height)), int(rng.integers(width))
        h, w = int(rng.integers(1, height - top + 1)), int(rng.integers(1, width - left + 1))
        crop = store.crop(index, top, left, h, w)
        assert (crop == images[index][top : top + h, left : left + w]).all()
        assert crop.flags.c_contiguous


def test_nothing_is_left_on_disk_even_while_it_is_used(rng, tmp_path):
    with ImageStore(memory_limit=0, folder=tmp_path) as store:
        fill(store, rng)
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_named(rng, tmp_path):
    with ImageStore(memory_limit=0, folder=tmp_path / "gone") as store:
        with pytest.raises(InputError, match="gone"):
            fill(store, rng)
