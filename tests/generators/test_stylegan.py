import pytest
import torch

from anomgan.errors import SettingsError
from anomgan.generators.dcgan import DCGAN, DCGANSettings
from anomgan.generators.latent_search import SearchSettings, search, search_loss
from anomgan.generators.projection import project
from anomgan.generators.stylegan import StyleGAN, StyleGANSettings

LAYERS = 6
"""Of images of 16 pixels."""


def make(**settings):
    torch.manual_seed(0)
    values = {"latent_dim": 6, "features": 4, "mapping_layers": 2} | settings
    gan = StyleGAN(16, 1, StyleGANSettings(**values))
    for _ in gan.step(torch.rand(64, 1, 16, 16)):
        pass  # the mean style follows
    gan.networks.eval()
    return gan


@pytest.fixture(scope="module")
def gan():
    return make()


@pytest.fixture(scope="module")
def z():
    return torch.randn(5, 6, generator=torch.Generator().manual_seed(1))


def test_a_latent_vector_has_one_image(gan, z):
    with torch.no_grad():
        x = gan.generate(z)
        assert torch.equal(x, gan.generate(z))
        assert torch.allclose(x[:2], gan.generate(z[:2]), atol=1e-5)


def test_w_plus_is_w_for_every_layer(gan, z):
    w = gan.embed(z)
    wide = gan.widen(w)
    assert w.shape == (5, 6) and wide.shape == (5, 6 * LAYERS)
    assert torch.equal(gan.widen(wide), wide)
    assert torch.equal(gan.decode(wide), gan.decode(w))
    wide[:, -6:] += 1
    assert not torch.allclose(gan.decode(wide), gan.decode(w))


def test_truncation_goes_from_the_mean_to_the_style_itself(gan, z):
    w, mean = gan.embed(z), gan.networks["mapping"].mean
    assert torch.equal(gan.truncate(w, 1.0), gan.widen(w))
    same = gan.decode(gan.truncate(w, 0.0))
    assert torch.allclose(same, same[:1].expand_as(same), atol=1e-6)
    expected = gan.widen(mean + 0.7 * (w - mean))
    assert torch.allclose(gan.truncate(w, 0.7), expected, atol=1e-6)
    assert torch.allclose(gan.truncate(gan.widen(w), 0.7), expected, atol=1e-6)


def test_only_the_layers_up_to_32_px_are_truncated():
    gan = StyleGAN(128, 1, StyleGANSettings(latent_dim=6, features=2))
    styles = torch.randn(3, 12 * 6)
    truncated = gan.truncate(styles, 0.0).view(3, 12, 6)
    assert not truncated[:, :8].any(), "the mean style is 0 before the training"
    assert torch.equal(truncated[:, 8:], styles.view(3, 12, 6)[:, 8:])


def test_the_way_between_two_images_is_a_line_in_w(gan, z):
    way = gan.between(z[0], z[1], 5)
    ends = gan.embed(z[:2])
    assert torch.allclose(way[[0, -1]], ends, atol=1e-6)
    assert torch.allclose(way[2], ends.mean(0), atol=1e-6)


def test_styles_are_combined_part_by_part(gan, z):
    w, other = gan.embed(z[:1]), gan.embed(z[1:2])
    for part, layers in (("coarse", range(4)), ("middle", range(4, LAYERS))):
        mixed = gan.combine(w, other, part).view(LAYERS, 6)
        for layer in range(LAYERS):
            assert torch.equal(mixed[layer], (other if layer in layers else w)[0])
    with pytest.raises(SettingsError, match="have no fine layers"):
        gan.combine(w, other, "fine")
    with pytest.raises(SettingsError, match="unknown part small .*coarse, middle, fine"):
        gan.combine(w, other, "small")


def test_the_mean_style_is_that_of_many_latent_vectors():
    gan = make()
    for step in range(300):
        gan.steps_done = step
        gan._follow(gan.embed(gan.draw(32, torch.zeros(1))))
    mean = gan.embed(gan.draw(4000, torch.zeros(1))).mean(0)
    kept = gan.networks["mapping"].mean
    assert torch.allclose(kept, mean, atol=0.1) and (kept - mean).norm() < 0.3 * mean.norm()


def test_the_prior_is_the_distance_from_the_mean_style(gan, z):
    w, mean = gan.embed(z), gan.networks["mapping"].mean
    expected = (w - mean).square().sum(1) / 2
    assert torch.allclose(gan.improbability(w), expected, rtol=1e-4)
    assert torch.allclose(gan.improbability(gan.widen(w)), expected, rtol=1e-4)
    assert gan.improbability(mean[None]).item() == 0


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_the_images_has_two_styles(share):
    gan = make(style_mixing=share)
    first, other = torch.zeros(2000, 6), torch.ones(2000, 6)
    layers = gan._mix(first, other).view(2000, LAYERS, 6)[:, :, 0]
    assert (layers[:, 0] == 0).all() and (layers.diff(dim=1) >= 0).all(), "one crossover"
    mixed = layers[:, -1] == 1
    assert mixed.float().mean().item() == pytest.approx(share, abs=0.04)
    if share:
        starts = (layers[mixed] == 0).sum(1)
        assert set(starts.tolist()) == set(range(1, LAYERS)), "at any layer"


def test_the_penalty_is_lazy_and_counts_for_the_steps_without_it():
    gan = make(r1=0.5)
    x = torch.rand(8, 1, 16, 16)
    for step in (0, 1, 15, 16):
        gan.steps_done = step
        update = next(iter(gan.step(x)))
        plain = 2 * update.terms["discriminator"]
        if step % 16:
            assert "penalty" not in update.terms and torch.equal(update.loss, plain)
        else:
            expected = plain + 16 * 0.5 / 2 * update.terms["penalty"]
            assert update.loss.item() == pytest.approx(expected.item())


def test_both_halves_of_the_generator_learn(gan):
    *_, update = gan.step(torch.rand(8, 1, 16, 16))
    weights = [p for name in gan.players["generator"] for p in gan.networks[name].parameters()]
    gradients = torch.autograd.grad(update.loss, weights)
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_w_plus_fits_better_than_w_and_starts_where_it_is_told(gan):
    x = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(2)) * 2 - 1
    w, wide = (
        search(gan, x, SearchSettings(steps=40, patience=0, space=space)) for space in ("w", "w+")
    )
    assert (wide.loss < w.loss).all()
    settings = SearchSettings(steps=1, space="w+")
    on = search(gan, x, settings, start=w.code)
    assert torch.allclose(on.code, gan.widen(w.code))
    with torch.no_grad():
        again = search_loss(gan, x, gan.features(x), wide.code, settings)
    assert torch.allclose(again, wide.loss, rtol=1e-4)


@pytest.mark.parametrize("space", ["w", "w+"])
def test_projection_finds_what_the_generator_made(gan, z, space):
    with torch.no_grad():
        x = gan.generate(z)
    settings = SearchSettings(space=space, steps=60, restarts=2, learning_rate=0.1)
    found = project(gan, x, settings)
    assert found.rebuilt.shape == x.shape and found.code.shape[1] == (6 if space == "w" else 36)
    assert torch.allclose(found.error, (x - found.rebuilt).abs().mean((1, 2, 3)))
    noise = project(gan, torch.rand(2, 1, 16, 16) * 2 - 1, settings)
    assert found.error.median() < 0.3 * noise.error.min()


def test_other_generators_are_projected_too():
    gan = DCGAN(16, 1, DCGANSettings(latent_dim=6, features=4))
    gan.networks.eval()
    found = project(gan, torch.zeros(2, 1, 16, 16), SearchSettings(steps=4, space="w+"))
    assert found.code.shape == (2, 6)
