import pytest
import torch
from torch import nn

from anomgan.networks.cyclegan import TranslatorNet


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(16, 16), (20, 36)])
def test_images_of_any_size_come_back_at_theirs(channels, shape):
    network = TranslatorNet(channels, channels, 4, 2)
    x = torch.rand(2, channels, *shape) * 2 - 1
    y = network(x)
    assert y.shape == x.shape and y.abs().max() <= 1


def test_labels_are_laid_beside_the_image():
    network = TranslatorNet(1 + 2, 1, 4, 1, affine=True)
    x, labels = torch.rand(2, 1, 16, 16), torch.eye(2)
    planes = [labels[:, k, None, None].expand(2, 16, 16) for k in (0, 1)]
    assert torch.equal(network(x, labels), network(torch.stack([x[:, 0], *planes], 1)))


@pytest.mark.parametrize("size", [16, 64])
def test_a_label_changes_the_whole_image_at_any_size(size):
    # It is the same everywhere, and instance norm takes away what is the same everywhere.
    network = TranslatorNet(1 + 2, 1, 8, 1, affine=True)
    x, labels = torch.rand(2, 1, size, size) * 2 - 1, torch.eye(2)
    with torch.no_grad():
        change = (network(x, labels) - network(x, labels.flip(1))).abs()
    middle = slice(size // 2 - 4, size // 2 + 4)
    assert change.mean() > 0.05 and change[..., middle, middle].mean() > 0.05


def test_the_change_of_nothing_is_the_image_itself():
    network = TranslatorNet(1, 1, 4, 1, change=True)
    x = torch.rand(2, 1, 16, 16) * 2 - 1
    assert not torch.allclose(network(x), x, atol=1e-3)
    last = next(layer for layer in reversed(network.layers) if isinstance(layer, nn.Conv2d))
    nn.init.zeros_(last.weight)
    assert torch.equal(network(x), x)
    network.change = False
    assert torch.equal(network(x), torch.zeros_like(x)), "and without it a new image"


def test_only_a_change_remembers_how_bright_an_image_was():
    x = torch.rand(1, 1, 16, 16) * 0.2
    new, changed = (TranslatorNet(1, 1, 4, 1, change=change) for change in (False, True))
    assert torch.allclose(new(x), new(x + 0.5), atol=1e-3)
    assert torch.allclose(changed(x) + 0.5, changed(x + 0.5), atol=1e-3)


def test_a_skip_takes_what_is_small_past_the_small_maps():
    network = TranslatorNet(1, 1, 4, 1, change=True, skip=True)
    x = torch.rand(1, 1, 32, 32, requires_grad=True)

    def reach():
        (slope,) = torch.autograd.grad(network(x)[0, 0, 16, 16], x)
        rows, columns = slope[0, 0].nonzero().T
        return [rows.min().item(), rows.max().item(), columns.min().item(), columns.max().item()]

    assert reach() == [0, 31, 0, 31]
    nn.init.zeros_(network.layers[-2].weight[:, :4].detach())
    assert reach() == [10, 22, 10, 22], "7 x 7 pixels, twice"


def test_a_smooth_translator_leaves_neither_a_grid_nor_a_frame():
    x = torch.full((1, 1, 96, 96), 0.5)
    inside, everywhere = slice(32, 64), slice(None)
    spreads = {}
    for smooth in (False, True):
        network = TranslatorNet(1, 1, 4, 1, kernel=4, change=True, smooth=smooth)
        with torch.no_grad():
            change = network(x) - x
        for part in (inside, everywhere):
            some = change[..., part, part]
            spreads[smooth, part == inside] = (some.std() / some.abs().mean()).item()
    assert spreads[False, True] > 0.1, "a grid"
    assert spreads[False, False] > spreads[False, True], "and a frame, beside the zeros"
    assert spreads[True, False] < 1e-3


def test_every_residual_block_adds_to_what_it_is_given():
    network = TranslatorNet(1, 1, 4, 3)
    blocks = [layer for layer in network.layers if type(layer).__name__ == "_Residual"]
    x = torch.randn(2, 16, 4, 4)
    assert len(blocks) == 3
    for block in blocks:
        assert torch.equal(block(x), x + block.layers(x))


@pytest.mark.parametrize("affine", [True, False])
def test_instance_norm_learns_scale_and_shift_where_it_is_to(affine):
    network = TranslatorNet(1, 1, 4, 2, affine=affine)
    norms = [layer for layer in network.modules() if isinstance(layer, nn.InstanceNorm2d)]
    assert len(norms) == 5 + 2 * 2
    assert all((norm.weight is not None) == affine for norm in norms)
