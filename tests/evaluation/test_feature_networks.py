from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision.models import Inception_V3_Weights, inception_v3

from anomgan.errors import InputError
from anomgan.evaluation.feature_networks import Inception, infer, load_inception, whole_images


@pytest.fixture(scope="module")
def inception():
    torch.manual_seed(0)
    return Inception(inception_v3(weights=None, init_weights=False).state_dict(), "cpu")


def test_images_of_any_kind_have_2048_features_each(inception, rng):
    grey = rng.integers(0, 256, (2, 28, 28), dtype=np.uint8)
    rgb = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    features = inception.features([*grey, rgb])
    assert features.shape == (3, 2048) and features.dtype == np.float32
    assert np.allclose(features[:2], inception.features(grey), atol=1e-4)
    assert np.allclose(features[:2], inception.features(np.stack([grey] * 3, -1)), atol=1e-4)


def test_the_network_sees_what_torchvision_makes_of_its_own_normalisation(inception):
    """Its authors' weights were made for [-1, 1]; ImageNet's means and deviations are undone."""
    image = np.random.default_rng(0).integers(0, 256, (299, 299, 3), dtype=np.uint8)
    theirs = inception_v3(weights=None, init_weights=False, transform_input=True)
    theirs.fc = torch.nn.Identity()
    theirs.load_state_dict(inception.network.state_dict())
    x = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    mean, deviation = (torch.tensor(v)[:, None, None] for v in _IMAGENET)
    with torch.no_grad():
        expected = theirs.eval()((x - mean) / deviation).numpy()
    assert np.allclose(inception.features(image[None]), expected, rtol=1e-3, atol=1e-3)


_IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def test_weights_that_cannot_be_downloaded_are_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def unreachable(*_, **__):
        raise URLError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with pytest.raises(InputError, match="no network") as raised:
        load_inception("cpu")
    place = tmp_path / "hub" / "checkpoints" / "inception_v3_google-0cc3c7bd.pth"
    for told in (str(place), Inception_V3_Weights.IMAGENET1K_V1.url, "lite0"):
        assert told in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"not weights"])
def test_a_damaged_file_of_weights_is_explained(tmp_path, monkeypatch, content):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / "inception_v3_google-0cc3c7bd.pth"
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    with pytest.raises(InputError, match="cannot get the weights") as raised:
        load_inception("cpu")
    assert str(place) in str(raised.value)


def test_weights_in_the_cache_are_used(tmp_path, monkeypatch, inception, rng):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / "inception_v3_google-0cc3c7bd.pth"
    place.parent.mkdir(parents=True)
    whole = inception_v3(weights=None, init_weights=False)
    weights = whole.state_dict() | inception.network.state_dict()
    torch.save(weights, place)
    image = rng.integers(0, 256, (1, 32, 32), dtype=np.uint8)
    assert np.array_equal(load_inception("cpu").features(image), inception.features(image))


def test_batches_are_joined_in_order_and_images_squared(rng):
    images = rng.integers(0, 256, (150, 8, 12), dtype=np.uint8)
    means = infer(
        images, whole_images(12, channels=1), lambda x: x.mean((2, 3)), torch.device("cpu")
    )
    assert means.shape == (150, 1)
    expected = np.pad(images, ((0, 0), (2, 2), (0, 0)), "reflect").mean((1, 2)) / 127.5 - 1
    assert np.allclose(means[:, 0], expected, atol=1e-5)


def test_what_cannot_be_measured_is_refused(inception):
    with pytest.raises(InputError, match="no images"):
        inception.features([])
    with pytest.raises(InputError, match="image 1 has 16 bits"):
        inception.features([np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint16)])
    with pytest.raises(InputError, match="image 0 is an array of float64"):
        inception.features(np.zeros((1, 8, 8)))
