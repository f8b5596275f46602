import unicodedata

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from anomgan.data.masks import find_masks, open_mask
from anomgan.data.public_sets import read_pair, read_test
from anomgan.errors import InputError

DEFECT = np.zeros((16, 24), np.uint8)
DEFECT[4:12, 8:16] = 255


def write(path, pixels=DEFECT):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def match(tmp_path):
    """Finds the masks of images; both by their paths in two folders."""

    def run(images, masks):
        below, folder = tmp_path / "test", tmp_path / "truth"
        paths = [write(below / name) for name in images]
        for name in masks:
            write(folder / name)
        found = find_masks(paths, below, folder)
        return [mask and mask.relative_to(folder).as_posix() for mask in found]

    return run


@pytest.mark.parametrize(
    "mask",
    [
        "dent/000_mask.png",
        "dent/000_MASK.PNG",
        "dent/000.png",
        "dent/000_gt.png",
        "dent/000-GT.bmp",
        "dent/000_label.tif",
        "dent/000_ground_truth.png",
        "dent/000_mask.jpg",
        "Dent/000_mask.png",
        "000_mask.png",
        "dent/masks/000.png",
    ],
)
def test_a_mask_is_found_however_it_is_called(match, mask):
    assert match(["dent/000.PNG"], [mask]) == [mask]


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_an_accent_may_be_written_in_two_ways(match, forms):
    image, mask = (
        unicodedata.normalize(form, name)
        for form, name in zip(forms, ["Größe/é.png", "GRÖSSE/É_mask.png"], strict=True)
    )
    assert match([image], [mask]) == [mask]


def test_images_of_one_name_in_two_folders_have_masks_of_their_own(match):
    images = ["dent/cam1/0.png", "dent/cam2/0.png"]
    assert match(images, ["dent/cam1/0.png", "dent/cam2/0_gt.png"]) == [
        "dent/cam1/0.png",
        "dent/cam2/0_gt.png",
    ]
    assert match(images[:1], ["dent/cam1/0.png", "dent/cam2/0_gt.png"]) == ["dent/cam1/0.png"]


@pytest.mark.parametrize(
    ("images", "masks", "message"),
    [
        (["d/a/0.png", "d/b/0.png"], ["d/0.png"], "0.png could be the mask of .*a/0.png and .*b/0"),
        (
            ["d/0.png", "d/0.jpg"],
            ["d/0.png"],
            "could be the mask of .*0.jpg and of .*0.png|0.png a",
        ),
        (["d/0.png"], ["d/0_mask.png", "d/0_gt.png"], "0_gt.png and .*0_mask.png could both be"),
        (["d/0.png"], ["d/0.png", "d/0.jpg"], "0.jpg and .*0.png could both be the mask"),
        (["d/0.png"], ["d/a/0.png", "d/b/0.png"], "a/0.png and .*b/0.png could both be the mask"),
        (["d/0.png"], ["e/0.png"], "holds 1 images, such as .*e/0.png, but no mask of an image"),
        (["d/0.png"], ["d/1_mask.png"], "but no mask of an image in .*test"),
    ],
)
def test_what_is_ambiguous_or_fits_nothing_is_refused(match, images, masks, message):
    with pytest.raises(InputError, match=message):
        match(images, masks)


def test_case_tells_apart_what_nothing_else_does(match):
    images, masks = ["d/A.png", "d/a.png"], ["d/a_mask.png", "d/A_mask.png"]
    assert match(images, masks) == ["d/A_mask.png", "d/a_mask.png"]


def test_good_images_need_no_mask_and_may_have_one(tmp_path):
    for name in ("test/good/0", "test/dent/0", "ground_truth/good/0_mask", "ground_truth/dent/0"):
        write(tmp_path / f"{name}.png")
    good, dent = read_test(tmp_path)
    assert good.mask is None and dent.mask == tmp_path / "ground_truth" / "dent" / "0.png"


def test_an_image_is_not_its_own_mask(tmp_path):
    for name in ("ok/0.png", "bad/0.png"):
        write(tmp_path / name)
    with pytest.raises(InputError, match="holds no mask"):
        read_pair(tmp_path / "ok", tmp_path / "bad", tmp_path / "bad")


@pytest.mark.parametrize("scale", [255, 1])
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif"])
def test_values_in_between_are_split_at_half_of_the_scale(tmp_path, suffix, scale):
    defect = np.zeros((32, 48), np.uint8)
    defect[8:24, 16:32] = scale
    path = write(tmp_path / f"m.{suffix}", defect)
    mask = open_mask(path, "image", defect.shape)
    assert np.array_equal(mask.pixels, defect > 0) and not mask.is_scaled


def test_smooth_edges_end_halfway_and_numbers_of_classes_all_count(tmp_path):
    ramp = np.tile(np.arange(0, 250, 2, dtype=np.uint8), (8, 1))
    smooth = open_mask(write(tmp_path / "smooth.png", ramp), "image", ramp.shape)
    assert smooth.pixels[0].argmax() == 63
    classes = np.repeat(np.arange(5, dtype=np.uint8), 4)[None] * 50
    mask = open_mask(write(tmp_path / "classes.png", classes), "image", classes.shape)
    assert mask.pixels.sum() == 16


@pytest.mark.parametrize("colours", [[0, 0, 0, 200, 0, 0], [255] * 3 + [200, 0, 0], [0] * 6])
def test_a_palette_is_a_mask_whatever_its_colours(tmp_path, colours):
    image = Image.fromarray((DEFECT > 0).astype(np.uint8), "P")
    image.putpalette(colours)
    image.save(tmp_path / "m.png")
    mask = open_mask(tmp_path / "m.png", "image", DEFECT.shape)
    assert np.array_equal(mask.pixels, DEFECT > 0)


def test_an_empty_mask_of_a_kind_that_pillow_does_not_know_is_empty(tmp_path):
    empty = np.zeros((*DEFECT.shape, 2), np.uint16)
    tifffile.imwrite(tmp_path / "m.tif", empty, photometric="minisblack", extrasamples=[2])
    assert not open_mask(tmp_path / "m.tif", "image", DEFECT.shape).pixels.any()


@pytest.mark.parametrize("size", [(32, 48), (8, 12), (5, 8)])
def test_a_mask_in_the_proportions_of_its_image_is_scaled(tmp_path, size):
    path = write(tmp_path / "m.png", cv2.resize(DEFECT, size[::-1], interpolation=0))
    mask = open_mask(path, "image", DEFECT.shape)
    assert mask.is_scaled and mask.pixels.shape == DEFECT.shape
    assert mask.pixels.mean() == pytest.approx((DEFECT > 0).mean(), abs=0.05)


@pytest.mark.parametrize("size", [(24, 16), (16, 25), (16, 12), (8, 16)])
def test_a_mask_of_other_proportions_is_refused(tmp_path, size):
    path = write(tmp_path / "m.png", np.zeros(size, np.uint8))
    message = f"m.png is {size[1]} x {size[0]} pixels, but its image a.png is 24 x 16"
    with pytest.raises(InputError, match=message):
        open_mask(path, "a.png", DEFECT.shape)
