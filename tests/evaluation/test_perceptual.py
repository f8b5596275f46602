import sys
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torchvision
from conftest import a_callers_state
from torchvision.models import AlexNet_Weights

from anomgan.errors import InputError
from anomgan.evaluation.perceptual import LPIPS, BackboneDistance, BackboneFeatures


@pytest.fixture(scope="module")
def distance():
    return BackboneDistance("cpu")


@pytest.fixture
def pictures(rng):
    """Smooth random pictures in colour."""
    noise = rng.normal(0, 1, (4, 64, 64, 3)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), 4) for one in noise])
    return np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def test_an_image_is_at_no_distance_from_itself_and_closer_to_a_blurred_copy_than_to_others(
    distance, pictures
):
    assert np.allclose(distance.between(pictures, pictures), 0)
    blurred = np.stack([cv2.GaussianBlur(one, (0, 0), 1) for one in pictures])
    near, far = (distance.between(pictures, other) for other in (blurred, pictures[::-1]))
    assert (near > 0).all() and (near < 0.5 * far).all()


def test_the_callers_state_of_torch_does_not_matter_and_stays(distance, pictures):
    expected = distance.between(pictures, pictures[::-1])
    with torch.random.fork_rng(), a_callers_state():
        before = torch.get_rng_state()
        made = BackboneDistance("cpu")
        assert torch.equal(torch.get_rng_state(), before)
        assert np.array_equal(made.between(pictures, pictures[::-1]), expected)


def test_the_distance_among_images_is_the_mean_over_pairs(distance, pictures):
    first, second = [0, 0, 1], [1, 2, 2]
    expected = distance.between(pictures[first], pictures[second]).mean()
    assert distance.among(pictures[:3]) == pytest.approx(expected, rel=1e-5)
    assert distance.among(pictures[[0, 0]]) == pytest.approx(0)
    with pytest.raises(InputError, match="at least 2 images"):
        distance.among(pictures[:1])


def test_grey_images_and_images_of_several_sizes_are_compared(distance, pictures):
    grey = pictures[..., 0]
    assert distance.between(grey, np.stack([grey] * 3, -1)) == pytest.approx(0, abs=1e-6)
    assert distance.between([grey[0]], [pictures[0, :40]]).shape == (1,)


def test_the_embedded_backbone_has_features_for_fid(pictures):
    features = BackboneFeatures("cpu").features(pictures)
    assert features.shape == (4, 232) and np.isfinite(features).all()


def test_without_its_package_lpips_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(InputError, match=r"pip install \"anomgan\[lpips\]\".*--distance lite0"):
        LPIPS("cpu")


@pytest.fixture
def alexnet(monkeypatch, tmp_path):
    """The file that torchvision reads AlexNet from; what is not there cannot be downloaded."""
    pytest.importorskip("lpips", reason="measures LPIPS")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    path = tmp_path / "hub" / "checkpoints" / Path(AlexNet_Weights.DEFAULT.url).name
    path.parent.mkdir(parents=True)
    return path


def test_lpips_without_its_backbone_says_so(alexnet):
    place = f"put the file https://.*/{alexnet.name} at {alexnet}, or choose --distance lite0"
    with pytest.raises(InputError, match=place):
        LPIPS("cpu")
    alexnet.write_bytes(b"PK")  # a download that was cut off
    with pytest.raises(InputError, match=place):
        LPIPS("cpu")


def test_lpips_is_what_its_authors_compute(alexnet, pictures):
    torch.save(torchvision.models.alexnet().state_dict(), alexnet)  # random weights
    distance, theirs = LPIPS("cpu"), import_module("lpips").LPIPS(net="alex", verbose=False)
    large = np.stack([cv2.resize(one, (256, 256)) for one in pictures])
    x = torch.from_numpy(large).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        expected = theirs(x[:2], x[2:]).flatten().numpy()
    assert (expected > 0).all()
    assert distance.between(large[:2], large[2:]) == pytest.approx(expected, rel=1e-4)
    assert distance.among(large[[0, 2]]) == pytest.approx(expected[0], rel=1e-4)
    assert distance.between(pictures[:1], pictures[:1]) == pytest.approx(0, abs=1e-6)
