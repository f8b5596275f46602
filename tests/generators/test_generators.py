import hashlib
import json

import numpy as np
import pytest
import torch
from conftest import MODEL_FILES, a_callers_state
from digits import load
from safetensors.torch import load_file, save_file

from anomgan.errors import InputError, ModelError, SettingsError
from anomgan.generators import GENERATORS, load_generator, train_generator
from anomgan.generators.base import on_the_sphere
from anomgan.generators.latent_search import SearchSettings, search
from anomgan.generators.loading import UNION
from anomgan.model_files import CHECKSUM

SMALL = {
    "view": {"kind": "whole", "size": 16},
    "network": {"latent_dim": 8, "features": 8},
    "training": {"steps": 3, "batch_size": 8, "ema": 0.5},
}
OWN = {
    "gan": {"saturating", "discriminator_steps"},
    "dcgan": {"spectral_norm"},
    "wgan": {"critic_steps", "clip"},
    "wgan_gp": {"critic_steps", "gradient_penalty"},
    "stylegan": {"widest", "design", "mapping_layers", "style_mixing", "r1"},
}
"""Settings of each method, beside those that all have."""


def cheap(name):
    """SMALL with few critic steps, above all in the head start of WGAN."""
    critic = {"wgan": {"critic_steps": 1}, "wgan_gp": {"critic_steps": 3}}.get(name, {})
    return SMALL | {"generator": name, "network": SMALL["network"] | critic}


def make(name, size, channels, **settings):
    method = GENERATORS[name]
    values = {"latent_dim": 6, "features": 2} | settings
    return method(size, channels, method.settings_type(**values))


@pytest.fixture(scope="module")
def digits():
    images, labels = load()
    return list(images[labels == 0, ::2, ::2][:100])


@pytest.mark.parametrize("size", [32, 64, 96, 128])
@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_every_size_generates_and_has_features_of_named_layers(name, size):
    gan = make(name, size, 3)
    x = gan.generate(gan.draw(2, torch.zeros(1)))
    assert x.shape == (2, 3, size, size) and x.abs().max() <= 1
    first, last = (1, 1) if name == "gan" else (size // 2, 6 if size == 96 else 4)
    assert gan.features(x, 0).shape[-1] == first
    assert gan.features(x).shape[-1] == last


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_every_method_learns_feature_vectors_and_is_searched_in_its_codes(name):
    torch.manual_seed(0)
    gan = make(name, 1, 5, features=8)
    vectors = torch.randn(3 * gan.batches_per_step, 5, 1, 1)
    updates = list(gan.step(vectors))
    assert updates[-1].player == "generator" and updates[-1].loss.isfinite()
    gan.networks.eval()
    x = gan.generate(gan.draw(3, vectors))
    assert x.shape == (3, 5, 1, 1) and (x[0] - x[1]).abs().max() > 1e-3
    assert torch.equal(gan.decode(gan.widen(gan.embed(z := gan.draw(3, x)))), gan.generate(z))
    steps = [search(gan, vectors[:3], SearchSettings(steps=n)).loss.sum() for n in (1, 30)]
    assert steps[1] < steps[0]


@pytest.mark.parametrize("name", ["gan", "dcgan", "stylegan"])
def test_the_discriminator_is_updated_first_and_only_then_the_generator(name):
    gan = make(name, 32, 1)
    assert [update.player for update in gan.step(torch.zeros(4, 1, 32, 32))] == [
        "discriminator",
        "generator",
    ]


def test_the_saturating_game_is_equation_1():
    gan = make("gan", 8, 1, saturating=True)
    torch.manual_seed(0)
    _, update = list(gan.step(torch.zeros(4, 1, 8, 8)))
    torch.manual_seed(0)
    fake = gan.generate(gan.draw(4, torch.zeros(1)))
    chance = torch.sigmoid(gan.networks["discriminator"](fake)[0])
    assert update.loss.item() == pytest.approx(torch.log(1 - chance).mean().item(), rel=1e-5)


def test_the_discriminator_of_the_first_gan_takes_k_steps():
    gan = make("gan", 8, 1, discriminator_steps=3)
    assert gan.batches_per_step == 3
    updates = list(gan.step(torch.randn(12, 1, 8, 8)))
    assert [update.player for update in updates] == ["discriminator"] * 3 + ["generator"]
    assert len({update.loss.item() for update in updates[:3]}) == 3, "each on a batch of its own"


def test_the_critic_of_wgan_is_clipped_after_each_of_its_steps():
    gan = make("wgan", 32, 1, critic_steps=2)
    weights = list(gan.networks["discriminator"].parameters())
    gan.steps_done = 1000
    players = []
    for update in gan.step(torch.randn(8, 1, 32, 32)):
        if players:
            assert max(weight.abs().max() for weight in weights) <= 0.01
        players.append(update.player)
        with torch.no_grad():
            for weight in weights:
                weight += 0.05
    assert players == ["discriminator"] * 2 + ["generator"]


def test_the_critic_of_wgan_has_a_head_start():
    gan = make("wgan", 8, 1)
    players = [update.player for update in gan.step(torch.randn(10, 1, 8, 8))]
    assert players == ["discriminator"] * 100 + ["generator"]


def test_a_step_of_wgan_gp_is_several_of_the_critic_and_one_of_the_generator():
    gan = make("wgan_gp", 32, 1, critic_steps=3)
    assert gan.batches_per_step == 3
    updates = list(gan.step(torch.randn(12, 1, 32, 32)))
    assert [update.player for update in updates] == ["discriminator"] * 3 + ["generator"]
    critic = updates[0]
    expected = -critic.terms["wasserstein"] + 10 * critic.terms["penalty"]
    assert critic.loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_a_saved_generator_draws_the_same_samples(digits, tmp_path, name):
    model = train_generator(digits, device="cpu", **cheap(name))
    model.save(tmp_path / "gan")
    files = {path.name for path in (tmp_path / "gan").iterdir()}
    assert files == MODEL_FILES | {"losses.png", "samples.png"}
    again = load_generator(tmp_path / "gan", device="cpu")
    samples = model.sample(5, seed=3)
    assert samples.shape == (5, 16, 16) and samples.dtype == np.uint8
    assert np.array_equal(samples, again.sample(5, seed=3))
    assert np.array_equal(samples[:2], again.sample(2, seed=3))
    assert not np.array_equal(samples, again.sample(5, seed=4))


@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("dcgan", {"steps": 300, "batch_size": 32, "learning_rate": 1e-3}),
        ("wgan_gp", {"steps": 30, "batch_size": 16, "learning_rate": 2e-3}),
        ("gan", {"steps": 300, "batch_size": 32, "learning_rate": 1e-3}),
        ("wgan", {"steps": 60, "batch_size": 16, "learning_rate": 1e-3}),
        ("stylegan", {"steps": 120, "batch_size": 16, "learning_rate": 4e-3}),
    ],
)
def test_samples_come_to_look_like_the_images(digits, name, training):
    mean = np.mean(digits, axis=0)

    def distance(training):
        model = train_generator(digits, device="cpu", **cheap(name) | {"training": training})
        return np.abs(model.sample(64).mean(axis=0) - mean).mean()

    assert distance(training) < 0.5 * distance({"steps": 1, "batch_size": 8})


@pytest.mark.parametrize("name", ["dcgan", "wgan", "stylegan"])
def test_a_generator_that_was_stopped_is_resumed_to_the_same_weights(digits, tmp_path, name):
    first, rest = (
        cheap(name) | {"training": {"steps": steps, "batch_size": 8}} for steps in (4, 9)
    )
    train_generator(digits, device="cpu", work_folder=tmp_path, **first)
    went_on = train_generator(digits, device="cpu", work_folder=tmp_path, resume=True, **rest)
    whole = train_generator(digits, device="cpu", **rest)
    assert np.array_equal(went_on.sample(4), whole.sample(4))


def test_bad_input_is_explained(digits, tmp_path):
    with pytest.raises(SettingsError, match="unknown generator gun; choose gan, dcgan"):
        train_generator(digits, generator="gun")
    with pytest.raises(InputError, match="no images"):
        train_generator([])
    with pytest.raises(ModelError, match="there is no model folder"):
        load_generator(tmp_path / "gone")


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_a_method_has_its_own_settings_and_refuses_those_of_others(digits, name):
    known = {"latent_dim", "features"} | OWN[name]
    assert set(GENERATORS[name].settings_type.model_fields) == known
    for foreign in set.union(*OWN.values()) - known:
        with pytest.raises(
            SettingsError, match=f"unknown key network.{foreign} .known here: "
        ) as e:
            train_generator(digits, generator=name, network={foreign: 1})
        assert all(key in str(e.value) for key in known)


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_a_model_with_the_settings_of_earlier_versions_still_loads(digits, tmp_path, name):
    model = train_generator(digits, device="cpu", **cheap(name))
    model.save(tmp_path / "gan")
    file = tmp_path / "gan" / "model.json"
    card = json.loads(file.read_text())
    del card[CHECKSUM]
    own = card["settings"]["network"]
    card["settings"]["network"] = dict.fromkeys(UNION) | own
    card["settings"]["network"]["augment"] = True
    card["settings"]["training"]["accumulate"] = 2
    card["settings"]["view"] |= {"scales": 2, "flip_vertical": True}
    file.write_text(json.dumps(card))
    assert load_generator(tmp_path / "gan", "cpu").settings == model.settings
    card["settings"]["network"]["colour"] = 1
    file.write_text(json.dumps(card))
    with pytest.raises(ModelError, match="colour"):
        load_generator(tmp_path / "gan", "cpu")


def test_an_earlier_model_without_biases_under_spectral_norm_is_loaded_with_zeros(digits, tmp_path):
    model = train_generator(digits, device="cpu", generator="dcgan", **SMALL)
    biases = [
        layer.bias
        for layer in model.method.networks["discriminator"].modules()
        if isinstance(layer, torch.nn.Conv2d)
    ]
    for bias in biases:
        bias.data.zero_()
    model.save(tmp_path / "gan")
    weights, card = tmp_path / "gan" / "weights.safetensors", tmp_path / "gan" / "model.json"
    kept = {
        name: tensor
        for name, tensor in load_file(weights).items()
        if not (name.startswith("discriminator") and name.endswith("bias"))
    }
    assert len(kept) == len(load_file(weights)) - len(biases)
    save_file(kept, weights)
    about = json.loads(card.read_text())
    del about[CHECKSUM]
    about["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    card.write_text(json.dumps(about))
    again = load_generator(tmp_path / "gan", "cpu")
    x = torch.randn(3, 1, 16, 16)
    assert torch.equal(again.method.judge(x), model.method.judge(x))
    assert np.array_equal(again.sample(4), model.sample(4))


def test_a_way_between_latent_vectors_is_finite_where_there_is_no_sphere():
    middle = on_the_sphere(torch.tensor([-1.0]), torch.tensor([3.0]), 3)[1]
    assert middle.tolist() == [1.0]
    same = torch.randn(8)
    assert torch.allclose(on_the_sphere(same, same, 4), same.expand(4, -1))


@pytest.mark.parametrize(("name", "truncation"), [("stylegan", 0.5), ("cgan", 1)])
def test_the_callers_state_of_torch_does_not_matter_and_stays(digits, tmp_path, name, truncation):
    images = {"a": digits[:20], "b": digits[20:40]} if name == "cgan" else digits[:40]

    def shown(model):
        return np.concatenate([model.sample(3, truncation=truncation), model.interpolate(3)])

    given = SMALL | {"generator": name, "device": "cpu"}
    expected = shown(train_generator(images, **given))
    with torch.random.fork_rng(), a_callers_state():
        before = torch.get_rng_state()
        made = train_generator(images, **given)
        made.save(tmp_path / "model")
        copy = load_generator(tmp_path / "model", "cpu")
        assert torch.equal(torch.get_rng_state(), before)
        assert all(np.array_equal(shown(model), expected) for model in (made, copy))
