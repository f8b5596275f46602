import pytest
import torch

from anomgan.networks.conditional import ConditionalDiscriminator, ConditionalGenerator


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def discriminator(told, spectral=False):
    return ConditionalDiscriminator(16, 1, 3, told, 5, 4, spectral).eval()


@pytest.mark.parametrize("embedding_dim", [0, 5])
@pytest.mark.parametrize(("size", "channels"), [(16, 1), (32, 3), (96, 1)])
def test_latent_and_label_give_an_image(embedding_dim, size, channels):
    generator = ConditionalGenerator(size, channels, 6, 3, embedding_dim, 4)
    z = torch.randn(1, 6).expand(3, -1)
    x = generator(z, torch.eye(3))
    assert x.shape == (3, channels, size, size) and x.abs().max() <= 1
    assert (x[0] - x[1]).abs().max() > 1e-3 and (x[1] - x[2]).abs().max() > 1e-3


def test_without_an_embedding_the_label_itself_is_joined_to_z():
    generator = ConditionalGenerator(16, 1, 6, 3, 0, 4).eval()
    z, c = torch.randn(2, 6), torch.eye(3)[:2]
    by_hand = generator.decoder(torch.cat([z, c], 1)[:, :, None, None])
    assert torch.equal(generator(z, c), by_hand)


@pytest.mark.parametrize("told", ["plane", "embedding", "projection"])
@pytest.mark.parametrize("spectral", [True, False])
def test_the_label_counts_however_it_is_told(told, spectral):
    network = discriminator(told, spectral)
    x = torch.randn(1, 1, 16, 16).expand(3, -1, -1, -1)
    logits = network(x, torch.eye(3))
    assert logits.shape == (3, 1)
    assert logits[0] != logits[1] != logits[2]


def test_projection_by_hand():
    network = discriminator("projection")
    x, c = torch.randn(4, 1, 16, 16), torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1]])
    logits, deep = network.pyramid(x)
    phi = deep.sum(dim=(2, 3))
    v = network.embed.weight
    by_hand = [
        logits[0].item() + (v[:, 0] @ phi[0]).item(),
        logits[1].item() + (v[:, 1] @ phi[1]).item(),
        logits[2].item() + (v[:, 2] @ phi[2]).item(),
        logits[3].item() + ((v[:, 0] + v[:, 2]) @ phi[3]).item(),
    ]
    assert network(x, c).flatten().tolist() == pytest.approx(by_hand, abs=1e-5)


def test_a_plane_is_one_learnt_image_per_label_beside_the_image():
    network = discriminator("plane")
    x = torch.randn(2, 1, 16, 16)
    planes = network.embed.weight[:, [2, 0]].T.view(2, 1, 16, 16)
    expected = network.pyramid(torch.cat([x, planes], 1))[0].flatten(1)
    assert torch.allclose(network(x, torch.eye(3)[[2, 0]]), expected, atol=1e-6)


def test_an_embedding_is_constant_over_the_image():
    network = discriminator("embedding")
    seen = []
    network.pyramid.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(torch.randn(2, 1, 16, 16), torch.eye(3)[[2, 0]])
    maps = seen[0][:, 1:]
    assert maps.shape == (2, 5, 16, 16)
    vectors = network.embed.weight[:, [2, 0]].T
    assert torch.equal(maps, vectors[:, :, None, None].expand_as(maps))


def test_spectral_norm_bounds_the_projection_too():
    network = discriminator("projection", spectral=True).train()
    for _ in range(30):
        network(torch.randn(2, 1, 16, 16), torch.eye(3)[:2])
    network.eval()
    assert torch.linalg.matrix_norm(network.embed.weight, 2).item() < 1.05
