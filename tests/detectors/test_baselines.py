import numpy as np
import pytest
import torch
from digits import WHOLE, separation

from anomgan.detectors import load
from anomgan.detectors.baselines import (
    BASELINES,
    Autoencoder,
    AutoencoderRecipe,
    MeanImage,
    Nearest,
    Principal,
)
from anomgan.detectors.ganomaly import GANomaly
from anomgan.errors import SettingsError

IN_PIXELS = ["autoencoder", "mean-image", "nearest", "pca"]


@pytest.mark.parametrize("name", IN_PIXELS)
def test_digits_that_were_never_seen_are_told_apart(name):
    steps = {"training": {"steps": 200, "batch_size": 32, "learning_rate": 1e-3}}
    training = steps if name == "autoencoder" else {}
    assert separation(BASELINES[name](device="cpu", **WHOLE, **training)) > 0.9


def fitted(method, images, **values):
    values = {"calibration": {"minimum": 5, "share": 0.1}} | values
    view = {"kind": "whole", "size": 8}
    made = method(device="cpu", image={"lighting": "keep"}, view=view, **values)
    return made.fit(images)


def noise(count):
    return list(np.random.default_rng(0).integers(0, 256, (count, 8, 8), dtype=np.uint8))


def test_the_mean_image_is_the_mean_of_the_training_images():
    images = noise(60)
    made = fitted(MeanImage, images)
    held = {score for score in made.fitted.calibration.scores}
    training = [image for image in images if made.score(image).score not in held]
    mean = np.mean(training, axis=0) / 127.5 - 1
    assert made.networks["mean"].values[0].numpy() == pytest.approx(mean, abs=1e-5)
    expected = np.abs(images[0] / 127.5 - 1 - mean).mean()
    assert made.score(images[0]).score == pytest.approx(expected, rel=1e-4)


def test_what_lies_in_the_principal_components_is_rebuilt():
    rng = np.random.default_rng(1)
    basis = rng.normal(size=(3, 8, 8))
    images = [
        np.clip(128 + np.tensordot(rng.normal(size=3), basis, 1) * 8, 0, 255).astype(np.uint8)
        for _ in range(80)
    ]
    made = fitted(Principal, images, components=3)
    off = images[0].copy()
    off[2:5, 2:5] = 255 - off[2:5, 2:5] // 2
    assert made.score(images[0]).score < 0.02 < made.score(off).score


def test_the_distance_to_the_nearest_neighbours_is_euclid_s(tmp_path):
    images = noise(60)
    made = fitted(Nearest, images, neighbours=2, keep=100)
    stored = made.networks["images"].values
    known = stored[stored[:, 0] < 10]
    assert 50 < len(known) < 60
    new = noise(61)[-1]
    distance = torch.cdist(torch.from_numpy(new / 127.5 - 1).float().view(1, -1), known)
    expected = distance.sort().values[0, :2].mean().item()
    assert made.score(new).score == pytest.approx(expected, rel=1e-4)
    made.save(tmp_path / "model")
    assert load(tmp_path / "model", "cpu").score(new).score == made.score(new).score


def test_patches_are_refused_where_whole_images_are_compared():
    with pytest.raises(SettingsError, match="set view.kind=whole"):
        MeanImage(device="cpu", view={"kind": "patch"})


def test_in_features_the_autoencoder_is_half_of_a_ganomaly_as_wide():
    made = Autoencoder(device="cpu", space="features")
    whole = GANomaly(space="features", network={"features": made.settings.network.features})
    assert made.settings.training.batch_size == whole.settings.training.batch_size
    networks, others = made.build(128), whole.build(128)
    for name, network in networks.items():
        shapes = {key: tensor.shape for key, tensor in others[name].state_dict().items()}
        assert {key: tensor.shape for key, tensor in network.state_dict().items()} == shapes
    x = torch.randn(7, 128, 1, 1)
    networks.eval()
    expected = (x - networks["decoder"](networks["encoder"](x))).square().mean((1, 2, 3))
    assert torch.allclose(AutoencoderRecipe(networks).difficulty(x), expected)
