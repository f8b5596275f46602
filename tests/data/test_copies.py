import cv2
import numpy as np
import pytest

from anomgan.data.copies import count_known, digest, near_copies, thumbnail
from anomgan.data.decode import read_image
from anomgan.data.flange import write_line
from anomgan.data.folders import list_images


def encoded(image, quality):
    return cv2.imdecode(
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_UNCHANGED
    )


def found(images):
    return near_copies([thumbnail(image) for image in images])


def test_copies_are_found_after_encoding_noise_and_scaling(rng):
    a, b = (cv2.GaussianBlur(x, (0, 0), 8) for x in rng.integers(0, 256, (2, 200, 240), np.uint8))
    a, b = (cv2.normalize(x, None, 0, 255, cv2.NORM_MINMAX) for x in (a, b))
    noisy = np.clip(a + rng.normal(0, 2, a.shape), 0, 255).astype(np.uint8)
    half = cv2.resize(a, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert found([b, a, encoded(a, 60), noisy, encoded(b, 90), half]) == [0, 1, 1, 1, 0, 1]


def test_blank_surfaces_are_no_copies_but_equal_files_are(rng):
    blank = [(128 + rng.normal(0, 3, (200, 200))).astype(np.uint8) for _ in range(6)]
    assert found(blank) == list(range(6))
    assert found([*blank, blank[2]]) == [0, 1, 2, 3, 4, 5, 2]


def test_many_images_are_compared_in_blocks(rng):
    thumbnails = list(rng.integers(0, 256, (1500, 1024)).astype(np.float32))
    firsts = near_copies([*thumbnails, *thumbnails[::300]])
    assert firsts == [*range(1500), *range(0, 1500, 300)]


@pytest.mark.parametrize("name", ["screw", "magnetic_tile", "solar_mono", "transistor"])
def test_photographs_of_different_parts_are_no_copies(real_data, name):
    paths = list_images(real_data(name) / "train" / "good")[:150]
    images = [read_image(path) for path in paths]
    assert found(images) == list(range(len(images)))
    copies = [encoded(images[0][..., ::-1] if images[0].ndim == 3 else images[0], 75)]
    copies = [one[..., ::-1] if one.ndim == 3 else one for one in copies]
    assert found([*images, *copies])[-1] == 0


def test_rendered_parts_are_no_copies(tmp_path):
    write_line(tmp_path, 40, 1, 1)
    images = [read_image(path) for path in list_images(tmp_path / "train")]
    assert found(images) == list(range(40))


def test_a_digest_tells_pixels_apart_and_knows_no_names(rng):
    image = rng.integers(0, 256, (20, 30), np.uint8)
    others = [image.T, image[::-1], image.astype(np.uint16), np.dstack([image] * 3)]
    known = np.stack([digest(one) for one in others])
    assert count_known(np.stack([digest(image)]), known) == 0
    assert count_known(np.stack([digest(np.asfortranarray(image))]), np.stack([digest(image)])) == 1
