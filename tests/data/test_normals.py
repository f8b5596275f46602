import numpy as np
import pytest
from PIL import Image

from anomgan.data.normals import read_normals
from anomgan.errors import InputError


def test_a_mix_of_kinds_is_decoded_once_and_kept(tmp_path, rng):
    deep = rng.integers(0, 4096, (20, 30), dtype=np.uint16)
    colour = rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(colour).save(tmp_path / "colour.png")
    grey = rng.integers(0, 256, (15, 15), dtype=np.uint8)
    sources = [tmp_path / "deep.png", tmp_path / "colour.png", grey]
    normals = read_normals(sources, folder=tmp_path)
    for index, image in enumerate((deep, colour, grey)):
        assert (normals[index] == image).all() and normals[index].dtype == image.dtype
    assert normals.bits == 12
    assert not normals.all_grey
    assert normals.shapes() == [(20, 30), (10, 12), (15, 15)]


def test_every_unreadable_image_is_listed_before_anything_else(tmp_path):
    good = np.zeros((10, 10), np.uint8)
    for number in range(25):
        (tmp_path / f"bad{number:02d}.png").write_text("text")
    sources = [good, *sorted(tmp_path.glob("*.png"))]
    with pytest.raises(InputError) as caught:
        read_normals(sources, folder=tmp_path, skip_unreadable=False)
    message = str(caught.value)
    assert "25 of 26 images cannot be read" in message
    assert "bad00.png" in message and "and 5 more" in message and "--skip-unreadable" in message
    with pytest.raises(InputError, match="remove or replace them$"):
        read_normals(sources, folder=tmp_path)
    normals = read_normals(sources, folder=tmp_path, skip_unreadable=True)
    assert len(normals) == 1 and len(normals.skipped) == 25


def test_the_fingerprint_follows_the_pixels(tmp_path):
    images = [np.full((8, 8), value, np.uint8) for value in (1, 2)]
    one = read_normals(images, folder=tmp_path).fingerprint
    assert one == read_normals(images, folder=tmp_path).fingerprint
    images[1][3, 3] += 1
    assert one != read_normals(images, folder=tmp_path).fingerprint
