import io

import cv2
import numpy as np
import pytest
from PIL import Image

from anomgan.data.copies import count_known, digest, find_copies, thumbnail
from anomgan.data.decode import read_image
from anomgan.data.flange import render_part
from anomgan.data.folders import list_images


def jpeg(image, quality):
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=quality)
    return np.asarray(Image.open(data))


CHANGES = {
    "as it is": lambda image, rng: image,
    "stored as JPEG": lambda image, rng: jpeg(image, 75),
    "stored as a bad JPEG": lambda image, rng: jpeg(image, 40),
    "brighter": lambda image, rng: np.minimum(image, 252) + 3,
    "noisy": lambda image, rng: np.clip(image + rng.normal(0, 3, image.shape), 0, 255),
    "one pixel": lambda image, rng: np.where(np.arange(image.size).reshape(image.shape), image, 9),
    "smaller": lambda image, rng: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=3),
}


def copies_of(images):
    return find_copies(np.array([thumbnail(image.astype(np.uint8)) for image in images]))


@pytest.fixture(scope="module")
def parts():
    """Aligned parts, which look alike."""
    return [render_part(number, size=256)[0] for number in range(20)]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_copy_is_known_by_its_photograph(parts, change, rng):
    images = [*parts, *(change(part, rng) for part in parts[:5])]
    assert copies_of(images) == [*range(20), *range(5)]


def test_three_photographs_are_three_however_often_they_are_there(parts, rng):
    changes = list(CHANGES.values())
    images = [changes[n % len(changes)](parts[n % 3], rng) for n in range(42)]
    assert len(set(copies_of(images))) == 3


def _moved(image, x, y):
    moved = cv2.warpAffine(image, np.float64([[1, 0, x], [0, 1, y]]), image.shape, borderMode=2)
    return moved.astype(float)


def test_a_part_that_lies_still_is_no_copy_of_itself(parts, rng):
    """The camera's noise, light that drifts and a little play make a series of photographs."""
    for series in (
        [parts[0] for _ in range(40)],
        [parts[0] * gain for gain in np.linspace(0.95, 1.05, 40)],
        [_moved(parts[0], *rng.normal(0, 0.1, 2)) for _ in range(40)],
    ):
        noisy = [np.clip(one + rng.normal(0, 2, one.shape), 0, 255) for one in series]
        assert copies_of(noisy) == list(range(40))


def test_plain_surfaces_are_no_copies(rng):
    assert copies_of(rng.normal(100, 5, (40, 64, 64))) == list(range(40))
    assert copies_of([np.full((9, 9), 7)] * 3) == [0, 0, 0]
    assert copies_of([]) == [] and copies_of([np.zeros((5, 5))]) == [0]


@pytest.mark.parametrize("name", ["pipe_staple", "transistor", "screw", "solar_mono"])
def test_real_photographs_of_like_parts_are_different(real_data, name):
    paths = list_images(real_data(name) / "train" / "good")
    images = [read_image(path) for path in paths]
    assert copies_of(images) == list(range(len(images)))


def test_a_digest_tells_pixels_apart_and_knows_no_names(rng):
    image = rng.integers(0, 256, (20, 30), np.uint8)
    others = [image.T, image[::-1], image.astype(np.uint16), np.dstack([image] * 3)]
    known = np.stack([digest(one) for one in others])
    assert count_known([digest(image)], known) == 0
    assert count_known([digest(np.asfortranarray(image))], digest(image)[None]) == 1
