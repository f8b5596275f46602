import numpy as np
import pytest

from anomgan.data.decode import read_image
from anomgan.data.flange import DEFECTS, NOISE, render_part
from anomgan.data.folders import list_images
from anomgan.errors import SettingsError


@pytest.mark.parametrize("size", [64, 200, 512])
def test_good_parts_have_an_empty_mask(size):
    image, mask = render_part(1, size)
    assert image.shape == mask.shape == (size, size)
    assert image.dtype == mask.dtype == np.uint8
    assert not mask.any()


def test_a_seed_is_a_part():
    assert (render_part(3)[0] == render_part(3)[0]).all()
    assert (render_part(3)[0] != render_part(4)[0]).mean() > 0.5


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("seed", range(8))
def test_a_defect_changes_the_part_where_the_mask_says_and_visibly(defect, seed):
    good, _ = render_part(seed, 128)
    bad, mask = render_part(seed, 128, defect=defect)
    change = np.abs(bad.astype(int) - good)
    inside = mask > 0
    assert set(np.unique(mask)) == {0, 255}
    assert 0 < inside.mean() < 0.1
    assert change[inside].mean() > 2 * NOISE
    assert change[~inside].mean() < 0.1 * change[inside].mean()


def test_unknown_defects_and_sizes_are_refused():
    with pytest.raises(SettingsError, match="scratch, dent, stain, chip"):
        render_part(0, defect="rust")
    with pytest.raises(SettingsError, match="64 to 2048"):
        render_part(0, size=32)


def test_a_line_has_the_mvtec_layout(line):
    assert len(list_images(line / "train" / "good")) == 24
    for defect in DEFECTS:
        images = list_images(line / "test" / defect)
        masks = list_images(line / "ground_truth" / defect)
        assert [f"{image.stem}_mask.png" for image in images] == [mask.name for mask in masks]
        assert read_image(masks[0]).any()
    everything = [read_image(p).tobytes() for p in list_images(line / "train")]
    assert len(set(everything)) == len(everything)
