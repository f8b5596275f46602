import numpy as np
import pytest

from anomgan.data.depth import Depth
from anomgan.data.normals import read_normals


def depth_of(*images):
    depth = Depth()
    for number, image in enumerate(images):
        depth.count(np.asarray(image, np.uint16), f"{number}.png")
    return depth


@pytest.mark.parametrize(
    ("largest", "bits"), [(255, 8), (1000, 10), (4095, 12), (4096, 14), (65535, 16)]
)
def test_depth_is_what_all_values_fit_into(largest, bits):
    assert depth_of(np.full((4, 4), largest)).bits == bits


def test_hot_pixels_do_not_decide_and_are_told(tmp_path, caplog):
    images = [np.full((40, 50), 2600, np.uint16) for _ in range(4)]
    images[2][3, 4] = 65535
    assert read_normals(images, folder=tmp_path).bits == 12
    (text,) = caplog.messages
    assert "4 of 4 images" in text and "12 bits" in text
    assert "1 brighter value in 1 image, such as image 2, taken for hot pixels" in text


def test_a_part_that_shines_does_decide():
    image = np.full((40, 50), 2600)
    image[:2] = 40_000
    assert depth_of(image).bits == 16


def test_without_deep_images_there_is_nothing_to_say(tmp_path, caplog):
    assert read_normals([np.zeros((8, 8), np.uint8)], folder=tmp_path).bits == 16
    assert not caplog.messages
