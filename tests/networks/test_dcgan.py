import pytest
import torch
import torch.nn.functional as F

from anomgan.errors import SettingsError
from anomgan.networks.dcgan import Decoder, Discriminator, Encoder, pyramid, stride_of


@pytest.mark.parametrize("size", [8, 32, 64, 96])
@pytest.mark.parametrize("bottleneck", ["vector", "map"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_view_goes_to_the_latent_and_back(size, bottleneck, channels):
    shape = (size, channels, 7, 4, bottleneck)
    x = torch.rand(2, channels, size, size) * 2 - 1
    z = Encoder(*shape)(x)
    cells = 1 if bottleneck == "vector" else 6 if size == 96 else 4
    assert z.shape == (2, 7, cells, cells)
    rebuilt = Decoder(*shape)(z)
    assert rebuilt.shape == x.shape
    assert rebuilt.abs().max() <= 1


def test_a_map_network_takes_any_multiple_of_its_stride():
    encoder, decoder = (part(32, 1, 5, 4, "map") for part in (Encoder, Decoder))
    stride = stride_of(32, "map")
    x = torch.rand(1, 1, 5 * stride, 9 * stride)
    assert decoder(encoder(x)).shape == x.shape


def test_a_map_network_is_local():
    # One pass over a large image gives what a pass over a part of it gives, away from its edge.
    encoder, decoder = (part(32, 1, 5, 4, "map").eval() for part in (Encoder, Decoder))
    x = torch.rand(1, 1, 160, 160)
    with torch.no_grad():
        whole = decoder(encoder(x))[..., 64:96, 64:96]
        part = decoder(encoder(x[..., 32:128, 32:128]))[..., 32:64, 32:64]
    assert torch.allclose(whole, part, atol=1e-5)


@pytest.mark.parametrize("spectral", [True, False])
def test_the_discriminator_gives_a_logit_and_features(spectral):
    discriminator = Discriminator(32, 3, 4, spectral)
    logits, features = discriminator(torch.rand(5, 3, 32, 32))
    assert logits.shape == (5, 1, 1, 1)
    assert features.shape == (5, 16, 4, 4)


def test_spectral_norm_bounds_every_layer():
    discriminator = Discriminator(32, 1, 8, spectral=True)
    for _ in range(30):
        discriminator(torch.rand(2, 1, 32, 32))
    discriminator.eval()
    layers = [one for one in discriminator.modules() if isinstance(one, torch.nn.Conv2d)]
    assert len(layers) == 4
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() < 1.05


@pytest.mark.parametrize("spectral", [True, False])
def test_the_discriminator_can_learn_to_accept_a_grey_image(spectral):
    # Mid grey is 0. Without biases or batch norm its logit would stay 0.
    torch.manual_seed(0)
    discriminator = Discriminator(16, 1, 4, spectral)
    grey = torch.zeros(2, 1, 16, 16)
    optimizer = torch.optim.SGD(discriminator.parameters(), 0.1)
    for _ in range(5):
        (-discriminator(grey)[0].mean()).backward()
        optimizer.step()
    assert (discriminator(grey)[0] > 0).all()


def test_a_size_is_halved_to_four_cells_or_a_few_more():
    sizes = {8: (1, 4), 28: (2, 7), 64: (4, 4), 96: (4, 6), 160: (5, 5), 1024: (8, 4)}
    assert {size: pyramid(size) for size in sizes} == sizes


@pytest.mark.parametrize("size", [0, 4, 7, 9, 22, 65, 1026])
def test_sizes_that_cannot_be_halved_are_refused(size):
    with pytest.raises(SettingsError, match=f"view.size = {size}: must be 4, 5, 6 or 7 times"):
        pyramid(size)


def test_an_autoencoder_overfits_two_images(rng):
    torch.manual_seed(0)
    parts = [part(16, 1, 32, 16) for part in (Encoder, Decoder)]
    x = torch.from_numpy(rng.random((2, 1, 16, 16), dtype="float32")) * 1.6 - 0.8
    optimizer = torch.optim.Adam([p for part in parts for p in part.parameters()], 5e-3)
    for _ in range(150):
        loss = F.mse_loss(parts[1](parts[0](x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01
