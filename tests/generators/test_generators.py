import numpy as np
import pytest
import torch

from anomgan.errors import InputError, ModelError, SettingsError
from anomgan.generators import GENERATORS, GANSettings, load_generator, train_generator
from digits import load

SMALL = {
    "view": {"kind": "whole", "size": 32},
    "network": {"latent_dim": 8, "features": 8, "critic_steps": 2},
    "training": {"steps": 3, "batch_size": 8, "ema": 0.5},
}


@pytest.fixture(scope="module")
def digits():
    images, labels = load()
    return list(images[labels == 0][:100])


@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_every_size_generates_and_has_features_of_named_layers(name, size):
    gan = GENERATORS[name](size, 3, GANSettings(latent_dim=6, features=2))
    x = gan.generate(gan.draw(2, torch.zeros(1)))
    assert x.shape == (2, 3, size, size) and x.abs().max() <= 1
    assert gan.features(x, 0).shape[-1] == size // 2
    assert gan.features(x).shape[-1] == 4


def test_dcgan_updates_the_discriminator_first_and_only_then_the_generator():
    gan = GENERATORS["dcgan"](32, 1, GANSettings(latent_dim=6, features=2))
    assert [update.player for update in gan.step(torch.zeros(4, 1, 32, 32))] == [
        "discriminator",
        "generator",
    ]


def test_a_step_of_wgan_gp_is_several_of_the_critic_and_one_of_the_generator():
    gan = GENERATORS["wgan_gp"](32, 1, GANSettings(latent_dim=6, features=2, critic_steps=3))
    assert gan.batches_per_step == 3
    updates = list(gan.step(torch.randn(12, 1, 32, 32)))
    assert [update.player for update in updates] == ["discriminator"] * 3 + ["generator"]
    critic = updates[0]
    expected = -critic.terms["wasserstein"] + 10 * critic.terms["penalty"]
    assert critic.loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_a_saved_generator_draws_the_same_samples(digits, tmp_path, name):
    model = train_generator(digits, device="cpu", generator=name, **SMALL)
    model.save(tmp_path / "gan")
    assert {path.name for path in (tmp_path / "gan").iterdir()} == {
        "model.json", "weights.safetensors", "history.csv", "samples.png",
    }
    again = load_generator(tmp_path / "gan", device="cpu")
    samples = model.sample(5, seed=3)
    assert samples.shape == (5, 32, 32) and samples.dtype == np.uint8
    assert np.array_equal(samples, again.sample(5, seed=3))
    assert np.array_equal(samples[:2], again.sample(2, seed=3))
    assert not np.array_equal(samples, again.sample(5, seed=4))


@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("dcgan", {"steps": 300, "batch_size": 32, "learning_rate": 1e-3}),
        ("wgan_gp", {"steps": 30, "batch_size": 16, "learning_rate": 2e-3}),
    ],
)
def test_samples_come_to_look_like_the_images(digits, name, training):
    small = SMALL | {"network": {"latent_dim": 8, "features": 8, "critic_steps": 3}}
    mean = np.mean(digits, axis=0)

    def distance(training):
        values = small | {"training": training}
        model = train_generator(digits, device="cpu", generator=name, **values)
        return np.abs(model.sample(64).mean(axis=0) - mean).mean()

    assert distance(training) < 0.5 * distance({"steps": 1, "batch_size": 8})


def test_a_generator_that_was_stopped_is_resumed_to_the_same_weights(digits, tmp_path):
    first, rest = ({"steps": steps, "batch_size": 8} for steps in (4, 9))
    train_generator(digits, device="cpu", work_folder=tmp_path, **SMALL | {"training": first})
    went_on = train_generator(
        digits, device="cpu", work_folder=tmp_path, resume=True, **SMALL | {"training": rest}
    )
    whole = train_generator(digits, device="cpu", **SMALL | {"training": rest})
    assert np.array_equal(went_on.sample(4), whole.sample(4))


def test_bad_input_is_explained(digits, tmp_path):
    with pytest.raises(SettingsError, match="generator = 'gun'"):
        train_generator(digits, generator="gun")
    with pytest.raises(InputError, match="no images"):
        train_generator([])
    with pytest.raises(ModelError, match="there is no model folder"):
        load_generator(tmp_path / "gone")
