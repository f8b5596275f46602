import pytest
import torch

from anomgan.data.labels import LabelSet
from anomgan.generators import GENERATORS
from anomgan.generators.cgan import CGAN, CGANSettings

METHODS = ["gan", "dcgan", "wgan", "wgan_gp"]


def make(name, channels, **settings):
    method = GENERATORS[name]
    steps = {"critic_steps": 2} if name.startswith("wgan") else {}
    values = {"latent_dim": 6, "features": 4} | steps | settings
    return method(16, channels, method.settings_type(**values))


@pytest.mark.parametrize("name", METHODS)
def test_the_opponent_judges_changed_images_only_when_told_to(name):
    plain, changing = (make(name, 1, augment=augment) for augment in (False, True))
    changing.networks.load_state_dict(plain.networks.state_dict())
    for gan in (plain, changing):
        gan.networks.eval()
    x = torch.rand(4, 1, 16, 16)
    values = plain.networks["discriminator"](x)[0]
    assert torch.equal(plain.judge(x), values) and plain.shown(x) is x
    assert not torch.allclose(changing.judge(x), values)
    assert torch.equal(changing.features(x), plain.features(x)), "detectors see what there is"


@pytest.mark.parametrize("name", METHODS)
def test_both_players_learn_through_the_changes(name):
    gan = make(name, 3, augment=True)
    gan.steps_done = 1000
    players = {"discriminator": 0, "generator": 0}
    for update in gan.step(torch.rand(8, 3, 16, 16) * 2 - 1):
        weights = list(gan.networks[update.player].parameters())
        gradients = torch.autograd.grad(update.loss, weights, allow_unused=True)
        assert all(torch.isfinite(g).all() for g in gradients if g is not None)
        assert sum(g.abs().sum() for g in gradients if g is not None) > 0
        players[update.player] += 1
    assert min(players.values()) > 0


def test_the_critic_of_wgan_gp_is_held_flat_between_changed_images(monkeypatch):
    gan = make("wgan_gp", 1, augment=True)
    monkeypatch.setattr("anomgan.generators.base.augment", lambda x: x * 0 + 0.25)
    seen = []
    monkeypatch.setattr(
        "anomgan.generators.wgan_gp.gradient_penalty",
        lambda critic, real, fake: seen.extend([real, fake]) or critic(real).mean() * 0,
    )
    list(gan.step(torch.rand(4, 1, 16, 16)))
    assert len(seen) == 4 and all((x == 0.25).all() for x in seen)


def test_the_discriminator_of_a_labelled_gan_is_shown_changed_images_too():
    sets = (LabelSet(("zero", "one"), exclusive=True),)
    plain, changing = (
        CGAN(16, 1, CGANSettings(latent_dim=6, features=4, augment=augment), sets)
        for augment in (False, True)
    )
    changing.networks.load_state_dict(plain.networks.state_dict())
    for gan in (plain, changing):
        gan.networks.eval()
    x, c = torch.rand(4, 1, 16, 16), torch.eye(2).repeat(2, 1)
    values = plain.networks["discriminator"](x, c)
    assert torch.equal(plain.judge(x, c), values)
    assert not torch.allclose(changing.judge(x, c), values)
