import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from anomgan.backbones import BACKBONES, FeatureExtractor, Moments, crop, surround
from anomgan.errors import SettingsError

VIT = "vit_tiny_patch16_224"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Random weights of a small transformer."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "vit.safetensors"
    save_file(timm.create_model(VIT, pretrained=False).state_dict(), path)
    return path


def extract(extractor, image, whitened=True):
    """The map of an image [h, w] or [h, w, C] of any size."""
    padded = surround(image.reshape(*image.shape[:2], -1), extractor.multiple)
    x = torch.from_numpy(padded).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        features = extractor(x) if whitened else extractor.raw(x)
    return crop(features, image.shape, extractor.stride, extractor.multiple)[0]


def _whiten(extractor, images):
    moments = Moments(extractor.channels)
    for image in images:
        moments.add(extract(extractor, image, whitened=False).flatten(1).T)
    extractor.set_whitening(moments)


@pytest.fixture(scope="module")
def noise():
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (64, 96, 3), dtype=np.uint8) for _ in range(4)]


@pytest.fixture(scope="module")
def lite0(noise):
    extractor = FeatureExtractor("lite0", None, None, 16)
    extractor.load_weights()
    _whiten(extractor, noise)
    return extractor


@pytest.fixture(scope="module")
def both(noise, file):
    extractor = FeatureExtractor(f"lite0, {VIT}", None, None, 9)
    extractor.load_weights(file)
    _whiten(extractor, noise)
    return extractor


def test_features_are_white(lite0, noise):
    vectors = torch.cat([extract(lite0, image).flatten(1).T for image in noise]).numpy()
    assert np.allclose(np.cov(vectors.T, bias=True), np.eye(16), atol=1e-2)


def test_what_was_loaded_is_said(file):
    facts = FeatureExtractor(f"lite0,{VIT}", None, None, 8).load_weights(file)
    assert [fact["name"] for fact in facts] == ["lite0", VIT]
    assert facts[0]["sha256"] == BACKBONES["lite0"].sha256
    assert facts[1]["origin"] == str(file)
    assert facts[0]["licence"] == "Apache-2.0"


@pytest.mark.parametrize(
    "shape", [(8, 8), (8, 8, 3), (1, 300), (300, 1, 3), (1, 1), (17, 33, 1), (64, 96, 3)]
)
def test_images_of_any_size(lite0, both, shape):
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    for extractor, directions in ((lite0, 16), (both, 9)):
        features = extract(extractor, image)
        assert features.shape == (directions, -(-shape[0] // 8), -(-shape[1] // 8))
        assert features.isfinite().all()


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([0, 255]))
@settings(max_examples=10, deadline=None)
def test_blank_images_of_any_size(lite0, height, width, value):
    features = extract(lite0, np.full((height, width), value, dtype=np.uint8))
    assert features.shape == (16, -(-height // 8), -(-width // 8))
    assert features.isfinite().all()


def test_the_border_does_not_shift_the_map(lite0):
    image = np.random.default_rng(2).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    with torch.no_grad():
        whole = lite0(torch.from_numpy(image).permute(2, 0, 1)[None] / 127.5 - 1)[0]
    features = extract(lite0, image)
    error = (features - whole)[:, 6:14, 6:14].norm()
    for axis in (1, 2):
        assert error < 0.5 * (features - whole.roll(1, axis))[:, 6:14, 6:14].norm()


def test_grey_equals_rgb(lite0):
    grey = np.random.default_rng(3).integers(0, 256, (24, 40), dtype=np.uint8)
    rgb = np.stack([grey] * 3, -1)
    assert torch.allclose(extract(lite0, grey), extract(lite0, rgb), atol=1e-3)


def test_several_backbones_share_the_directions_on_one_grid(both, noise):
    assert both.shares == [5, 4]
    assert both.stride == 8
    vectors = torch.cat([extract(both, image).flatten(1).T for image in noise])
    assert torch.allclose(vectors.var(0, correction=0), torch.ones(9), atol=1e-2)
    x = torch.rand(1, 3, 64, 96)
    assert both.raw(x).shape == (1, 232 + 2 * 192, 8, 12)
    assert torch.equal(both(x), both.whiten(both.raw(x)))


def test_other_backbones_get_the_size_they_are_best_at():
    extractor = FeatureExtractor("lite0,dinov2-s", None, None, 8)
    other = extractor.backbones[1]
    assert extractor._size_for(other, torch.zeros(1, 1, 512, 256)) == [392, 196]
    assert extractor._size_for(other, torch.zeros(1, 1, 16, 16)) == [14, 14]


def test_features_are_the_same_after_storing(both):
    other = FeatureExtractor(f"lite0,{VIT}", None, None, 9)
    stored = {
        name: tensor.half() if name.startswith("backbones") else tensor
        for name, tensor in both.state_dict().items()
    }
    other.load_state_dict(stored)
    image = np.random.default_rng(4).integers(0, 256, (30, 50), dtype=np.uint8)
    assert torch.equal(extract(both, image), extract(other, image))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((f"lite0,{VIT}", [2], None, 8), "single backbone"),
        ((f"lite0,{VIT}", None, 8, 8), "single backbone"),
        (("lite0,lite0", None, None, 8), "twice"),
        (("", None, None, 8), "unknown"),
        ((f"lite0,{VIT}", None, None, 1), "at least 2"),
    ],
)
def test_settings_that_do_not_go_together(arguments, problem):
    with pytest.raises(SettingsError, match=problem):
        FeatureExtractor(*arguments)


def test_a_file_must_be_for_one_backbone(file):
    extractor = FeatureExtractor(f"lite0,{VIT},resnet18", None, None, 8)
    with pytest.raises(SettingsError, match="names one file"):
        extractor.load_weights(file)
