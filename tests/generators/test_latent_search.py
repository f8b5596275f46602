import numpy as np
import pytest
import torch
from torch import nn

from anomgan.generators.dcgan import DCGAN, DCGANSettings
from anomgan.generators.latent_search import SearchSettings, search, search_loss


@pytest.fixture(scope="module")
def gan():
    torch.manual_seed(0)
    made = DCGAN(32, 1, DCGANSettings(latent_dim=4, features=4))
    for layer in made.networks.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0, 0.15)
    made.networks.eval()
    return made


@pytest.fixture(scope="module")
def images(gan):
    with torch.no_grad():
        return gan.generate(torch.randn(5, 4, generator=torch.Generator().manual_seed(1)))


def test_the_loss_is_equation_5(gan, images):
    z = torch.randn(5, 4)
    settings = SearchSettings(discrimination=0.3, layer=0, prior=2.0)
    with torch.no_grad():
        loss = search_loss(gan, images, gan.features(images, 0), z, settings)
        rebuilt = gan.generate(z)
        for i in range(5):
            residual = np.abs((images[i] - rebuilt[i]).numpy()).sum()
            f_x, f_g = (gan.features(some[i : i + 1], 0).numpy() for some in (images, rebuilt))
            expected = 0.7 * residual + 0.3 * np.abs(f_x - f_g).sum() + (z[i] ** 2).sum()
            assert loss[i].item() == pytest.approx(float(expected), rel=1e-4)


def test_what_the_generator_can_make_is_found_and_noise_is_not(gan, images):
    settings = SearchSettings(steps=300, restarts=4, patience=0)
    found = search(gan, images, settings)
    noise = search(gan, torch.rand(3, 1, 32, 32) * 2 - 1, settings)
    assert found.loss.max() < 0.2 * noise.loss.min()
    with torch.no_grad():
        again = search_loss(gan, images, gan.features(images), found.code, settings)
    assert torch.allclose(again, found.loss, rtol=1e-4)


def test_the_search_is_adam(gan, images):
    settings = SearchSettings(steps=12, patience=0, learning_rate=0.1)
    found = search(gan, images[:2], settings)
    first = search(gan, images[:2], settings.model_copy(update={"steps": 1}))
    z = first.code.clone().requires_grad_()
    optimizer = torch.optim.Adam([z], 0.1)
    with torch.no_grad():
        features = gan.features(images[:2])
    best = torch.full((2,), torch.inf)
    for _ in range(12):
        loss = search_loss(gan, images[:2], features, z, settings)
        best = torch.minimum(best, loss.detach())
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
    assert torch.allclose(found.loss, best, rtol=1e-3)


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_an_image_does_not_depend_on_its_company(gan, images, chunk):
    settings = SearchSettings(steps=40, restarts=2, patience=10, tolerance=0.02, chunk=chunk)
    together = search(gan, images, settings)
    alone = search(gan, images[2:3], settings)
    assert together.loss[2].item() == pytest.approx(alone.loss.item(), rel=1e-3)
    assert torch.allclose(together.code[2], alone.code[0], atol=1e-2)


def test_more_starting_points_never_do_worse(gan, images):
    one, four = (
        search(gan, images, SearchSettings(steps=30, restarts=n, patience=0)) for n in (1, 4)
    )
    assert (four.loss <= one.loss * 1.001).all() and (four.loss < 0.95 * one.loss).any()


def test_a_start_that_is_right_already_is_kept(gan):
    z = torch.randn(3, 4, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        x = gan.generate(z)
    found = search(gan, x, SearchSettings(steps=5, restarts=2), start=z)
    assert torch.allclose(found.code, z) and found.loss.max() < 1e-3


def test_images_that_make_no_progress_stop_early(gan, images):
    patient = search(gan, images, SearchSettings(steps=200, patience=0))
    early = search(gan, images, SearchSettings(steps=200, patience=10, tolerance=0.05))
    assert (patient.steps == 200).all()
    assert early.steps.max() < 200
    assert (early.loss >= patient.loss).all()
