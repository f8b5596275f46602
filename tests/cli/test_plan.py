import os

import numpy as np
import pytest
from PIL import Image

from anomgan import GANomaly
from anomgan.cli.plan import describe_plan, estimate_seconds
from anomgan.data.folders import list_images
from anomgan.errors import InputError, SettingsError

SMALL = {"backbone": {"long_side": 128}, "network": {"features": 32}, "training": {"steps": 10}}


def detector(**values):
    return GANomaly(space="features", device="cpu", **(SMALL | values))


def test_large_images_are_told_what_is_lost(tmp_path, rng):
    for number in range(3):
        image = rng.integers(0, 256, (400, 640), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    seen, lost, duration = describe_plan(detector(), list_images(tmp_path))
    assert "at 128 px" in seen and "lite0 (Apache-2.0)" in seen
    assert "below about 40 px" in lost
    assert "long_side=256 one of 20 px is seen, at 4.0 times the cost" in lost
    assert "about 1 min on cpu" in duration


def test_no_larger_size_than_that_of_the_images_is_advised(tmp_path, rng):
    image = rng.integers(0, 256, (100, 160), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "small.png")
    _, lost, _ = describe_plan(detector(), list_images(tmp_path))
    assert "long_side=160 one of 8 px is seen, at 1.6 times the cost" in lost


def test_images_of_unknown_size_have_a_plan(tmp_path):
    (tmp_path / "damaged.png").write_bytes(b"no image")
    seen, duration = describe_plan(detector(), [tmp_path / "damaged.png"])
    assert "at 128 px" in seen and "about 1 min on cpu" in duration


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    seen, _ = describe_plan(detector(), [tmp_path / "pipe.png"])
    assert "at 128 px" in seen


def test_no_larger_size_is_advised_for_small_images(line):
    _, lost, _ = describe_plan(detector(), list_images(line / "train" / "good"))
    assert lost == "A defect below about 6 px of the original is lost."


def test_more_steps_and_more_images_take_longer():
    few = detector()
    few.load_backbone()
    many = detector(training={"steps": 100_000})
    many.load_backbone()
    assert estimate_seconds(many, 10) > 10 * estimate_seconds(few, 10)
    budget = detector(training={"steps": 100_000, "minutes": 0.001})
    budget.load_backbone()
    assert estimate_seconds(budget, 0) <= 0.06


def test_pixels_need_no_plan(line):
    assert describe_plan(GANomaly(device="cpu"), list_images(line / "train" / "good")) == []


def test_a_wrong_backbone_or_folder_is_said_before_anything_else(tmp_path):
    with pytest.raises(SettingsError, match="lite0"):
        describe_plan(detector(backbone={"name": "lite00"}), [])
    with pytest.raises(InputError, match="weights.safetensors"):
        weights = str(tmp_path / "weights.safetensors")
        describe_plan(detector(backbone={"weights": weights}), [])
