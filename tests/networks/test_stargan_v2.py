import math

import pytest
import torch
from torch import nn

from anomgan.networks.stargan_v2 import AdaIN, ImageHeads, MappingNetwork, StyledGenerator


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("size", "stride"), [(16, 4), (32, 4), (64, 4), (128, 8), (256, 16)])
def test_an_image_keeps_its_size_whatever_it_is(size, stride):
    network = StyledGenerator(size, 3, 5, 2)
    assert network.stride == stride
    side = min(size, 64)
    for shape in [(side, side), (stride * 3, stride * 5)]:
        x = torch.randn(2, 3, *shape)
        assert network(x, torch.randn(2, 5)).shape == x.shape


def test_the_style_decides_what_becomes_of_an_image():
    network = StyledGenerator(16, 1, 5, 4)
    x = torch.randn(1, 1, 16, 16).expand(3, -1, -1, -1)
    style = torch.randn(2, 5)[[0, 1, 0]]
    first, second, third = network(x, style)
    assert torch.allclose(first, third, atol=1e-5)
    assert not torch.allclose(first, second, atol=1e-3)


def test_the_change_of_nothing_is_the_image_itself():
    network = StyledGenerator(16, 1, 5, 4, change=True)
    x, style = torch.randn(2, 1, 16, 16), torch.randn(2, 5)
    assert not torch.allclose(network(x, style), x, atol=1e-3)
    last = network.head[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    assert torch.equal(network(x, style), x)


def test_a_change_has_neither_a_frame_nor_blocks():
    flat, noise, style = (
        torch.full((1, 1, 64, 64), 0.5),
        torch.rand(1, 1, 64, 64),
        torch.randn(1, 5),
    )
    frame, blocks = {}, {}
    for change in (False, True):
        network = StyledGenerator(64, 1, 5, 4, change=change)
        with torch.no_grad():
            # All that is not flat in the result for a flat image comes from its edges.
            frame[change] = (network(flat, style) - flat).std().item()
            maps = network.encode(network.stem(noise))
            for block in network.decode:
                maps = block(maps, style)
        # Repeated pixels are alike inside of blocks of four, and differ between blocks.
        steps = maps.diff(dim=3).abs().mean((0, 1, 2))
        blocks[change] = (steps[3::4].mean() / steps.mean()).item()
    assert frame[False] > 0.1 and frame[True] < 0.01
    assert blocks[False] > 1.1 > 1.05 > blocks[True]


def test_adaptive_instance_norm_by_hand():
    # Mean 3, deviation 2: the values -1, 1. Style 2 gives scale 2 * 0.5 + 1 and shift 2 * 3 - 1.
    norm = AdaIN(1, 1)
    norm.affine.weight.data = torch.tensor([[0.5], [3.0]])
    norm.affine.bias.data = torch.tensor([1.0, -1.0])
    x = torch.tensor([1.0, 5.0, 1.0, 5.0]).view(1, 1, 2, 2)
    expected = torch.tensor([5 - 3.0, 5 + 3.0, 5 - 3.0, 5 + 3.0])
    assert torch.allclose(norm(x, torch.tensor([[2.0]])).flatten(), expected, atol=1e-4)


def test_a_style_acts_on_its_own_image():
    norm = AdaIN(3, 4)
    x, style = torch.randn(2, 3, 4, 4), torch.randn(2, 4)
    together = norm(x, style)
    for row in range(2):
        alone = norm(x[row : row + 1], style[row : row + 1])
        assert torch.allclose(together[row : row + 1], alone, atol=1e-6)


@pytest.mark.parametrize("kind", ["mapping", "heads"])
def test_each_row_comes_from_the_branch_of_its_domain(kind):
    if kind == "mapping":
        network, given, branches = MappingNetwork(6, 5, 3, 8), torch.randn(4, 6), "branches"
    else:
        network, given, branches = ImageHeads(16, 1, 5, 3, 4), torch.randn(4, 1, 16, 16), "heads"
    domains = torch.tensor([2, 0, 1, 0])
    before = network(given, domains)
    assert before.shape == (4, 5)
    # The last layer of domain 0 is changed; the rows of domain 0 alone change.
    branch = getattr(network, branches)[0].modules()
    *_, last = (layer for layer in branch if isinstance(layer, nn.Linear))
    last.bias.data += 1
    moved = network(given, domains) - before
    expected = torch.tensor([0.0, 1.0, 0.0, 1.0])[:, None].expand(4, 5)
    assert torch.allclose(moved, expected, atol=1e-5)
    assert not torch.allclose(before, network(given, torch.tensor([0, 1, 2, 1])), atol=1e-3)


def test_domains_share_layers_that_learn_from_all_of_them():
    network = MappingNetwork(6, 5, 2, 8)
    network(torch.randn(3, 6), torch.zeros(3, dtype=torch.long)).sum().backward()
    assert any(p.grad.abs().sum() > 0 for p in network.shared.parameters())
    assert any(p.grad.abs().sum() > 0 for p in network.branches[0].parameters())
    assert all(p.grad.abs().sum() == 0 for p in network.branches[1].parameters())


@pytest.mark.parametrize("size", [8, 16, 64])
@pytest.mark.parametrize("outputs", [1, 5])
def test_heads_take_views_of_their_size(size, outputs):
    network = ImageHeads(size, 3, outputs, 2, 2)
    assert network(torch.randn(2, 3, size, size), torch.tensor([0, 1])).shape == (2, outputs)


def test_blocks_keep_the_variance_of_their_signal():
    # Two paths are added and divided by the root of 2 (the authors' code).
    block = StyledGenerator(16, 1, 5, 4).encode[-1]
    nn.init.zeros_(block.second[-1].weight)
    nn.init.zeros_(block.second[-1].bias)
    x = torch.randn(2, 16, 4, 4)
    assert torch.allclose(block(x), x / math.sqrt(2))
