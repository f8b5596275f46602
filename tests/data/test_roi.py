import cv2
import numpy as np
import pytest

from anomgan.data.roi import Roi
from anomgan.data.usual import plain_statistics
from anomgan.errors import InputError


def test_a_mask_of_any_size_is_laid_over_the_image(tmp_path):
    mask = np.zeros((30, 40, 3), np.uint8)
    mask[:, 20:] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    roi = Roi.read(tmp_path / "mask.png")
    for shape in ((30, 40), (15, 20), (300, 400, 3)):
        found = roi.at(shape)
        assert found.shape == shape[:2]
        assert not found[:, : shape[1] // 2].any() and found[:, shape[1] // 2 :].all()
    assert roi.share == 0.5 and roi.box == (0.5, 0, 1, 1)


def test_a_large_mask_is_kept_small():
    mask = np.zeros((2000, 4000), bool)
    mask[:1000] = True
    roi = Roi.read(mask)
    assert roi.mask.shape == (512, 1024) and roi.share == 0.5
    roi.require([(2000, 4000), (1000, 2000)], ["a", "b"])


def test_a_polygon_is_in_fractions_of_width_and_height():
    roi = Roi.read("0,0 1,0  0 , 1")
    rows, columns = np.mgrid[:100, :200] + 0.5
    below = rows / 100 + columns / 200
    assert roi.at((100, 200))[below < 0.98].all()
    assert not roi.at((100, 200))[below > 1.02].any()
    roi.require([(100, 200), (200, 100)], ["a", "b"])
    assert Roi.read("0,0 1,0 1,1 0,1").share == 1


def test_outlines_go_around_what_counts():
    (outline,) = Roi.read("0.25,0.25 0.75,0.25 0.75,0.75 0.25,0.75").outlines
    assert np.allclose(
        sorted(outline), [(x, y) for x in (0.25, 0.75) for y in (0.25, 0.75)], atol=2e-3
    )
    ring = np.zeros((60, 80), bool)
    ring[5:55, 5:75] = True
    ring[20:40, 30:50] = False
    assert len(Roi.read(ring).outlines) == 2


def test_a_cell_counts_if_half_of_what_it_shows_does():
    mask = np.zeros((40, 50), bool)
    mask[:8, 8:] = True  # half of the first row of cells; all or half of its columns
    mask[32:, :16] = True  # the last row of cells has only 8 rows of pixels
    cells = Roi.read(mask).at((40, 50), 16)
    assert cells.shape == (3, 4)
    assert np.array_equal(cells[0], [False, True, True, True])
    assert not cells[1].any()
    assert np.array_equal(cells[2], [True, False, False, False])
    thin = np.zeros((64, 64), bool)
    thin[20:26, 10:60] = True  # less than half of all cells, but there is always one
    assert np.array_equal(Roi.read(thin).at((64, 64), 16)[1], [False, True, True, False])


def test_brightness_and_colour_are_those_of_what_counts(rng):
    image = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    roi = Roi.read(np.pad(np.ones((60, 30), bool), ((0, 0), (0, 50))))
    before = plain_statistics(image, roi)
    image[:, 32:] = (250, 0, 0)
    assert plain_statistics(image, roi) == before
    assert plain_statistics(image)["red"] != before["red"]
    assert before["brightness"] == pytest.approx(plain_statistics(image[:, :30])["brightness"])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("0.1,0.1 0.9,0.9", "needs 3 corners or more, but has 2"),
        ("0,0 1.2,0 0,1", "reaches out of the image"),
        ("-0.1,0 1,0 0,1", "reaches out of the image"),
        ("0,0 0.5,0.5 1,1", "has no area"),
        ("0,0 1,0 0,1;", "is not a file; give a mask, white where"),
        ("missing.png", "is not a file"),
        (np.zeros((5, 5), np.uint8), "is empty"),
    ],
)
def test_what_is_no_region_is_refused(given, problem):
    with pytest.raises(InputError, match=problem):
        Roi.read(given)


def test_a_damaged_or_empty_file_is_named(tmp_path):
    (tmp_path / "damaged.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="damaged.png"):
        Roi.read(tmp_path / "damaged.png")
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((8, 8), np.uint8))
    with pytest.raises(InputError, match=r"black.png is empty; it must be white"):
        Roi.read(str(tmp_path / "black.png"))


def test_images_of_other_proportions_are_named():
    roi = Roi.read(np.ones((48, 64), bool))
    roi.require([(480, 640), (240, 320, 3), (241, 320)], ["a", "b", "c"])
    with pytest.raises(InputError, match="proportions 64 : 48, but d.png is 480 x 640 pixels"):
        roi.require([(480, 640), (640, 480)], ["c.png", "d.png"])
