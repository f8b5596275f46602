import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from anomgan.backbones import BACKBONES, Backbone, find, load_state
from anomgan.backbones.timm_networks import build, cut, fold_batch_norms, run
from anomgan.errors import SettingsError

LITE0 = BACKBONES["lite0"]


@pytest.fixture(scope="module")
def lite0():
    backbone = Backbone(LITE0)
    backbone.load(load_state(LITE0, None)[0])
    return backbone


def _images(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_lite0_gives_what_timms_whole_network_gives(lite0):
    network = timm.create_model(LITE0.timm_name, pretrained=False).eval()
    network.load_state_dict(load_state(LITE0, None)[0], strict=False)
    images = _images(2, 3, 96, 64)
    with torch.no_grad():
        x, maps = network.bn1(network.conv_stem(images)), []
        for block in network.blocks:
            x = block(x)
            maps.append(x)
        wanted = torch.cat([F.interpolate(maps[i], (12, 8), mode="bilinear") for i in (2, 3, 4)], 1)
        wanted = F.avg_pool2d(F.pad(wanted, (1, 1, 1, 1), mode="replicate"), 3, 1)
    features = lite0(images)
    assert features.shape == (2, lite0.channels, 12, 8) == (2, 232, 12, 8)
    # Half precision keeps 11 bits of each weight.
    assert (features - wanted).norm() < 0.01 * wanted.norm()


def test_folding_and_cutting_leave_no_batch_norm_and_little_else(lite0):
    assert not any(isinstance(module, nn.BatchNorm2d) for module in lite0.modules())
    assert sum(weight.numel() for weight in lite0.parameters()) < 700_000
    assert lite0.state_dict().keys() == Backbone(LITE0).state_dict().keys()


@pytest.mark.parametrize("shape", [(64, 48), (16, 160)])
def test_folding_changes_rounding_only(shape):
    network = cut(build(LITE0.timm_name), LITE0.stages)
    network.load_state_dict(load_state(LITE0, None)[0], strict=False)
    images = _images(1, 3, *shape)
    with torch.no_grad():
        before = run(network, images, LITE0.stages)
        after = run(fold_batch_norms(network), images, LITE0.stages)
    for one, other in zip(before, after, strict=True):
        assert torch.allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("name", ["lite0", "resnet18"])
def test_half_precision_changes_nothing(name):
    backbone, images = Backbone(find(name)), _images(1, 3, 64, 64)
    network = timm.create_model(find(name).timm_name, pretrained=False)
    backbone.load(network.state_dict())
    stored = {
        key: x.half() if x.is_floating_point() else x for key, x in backbone.state_dict().items()
    }
    other = Backbone(find(name))
    other.load_state_dict(stored)
    assert torch.equal(backbone(images), other(images))


def test_a_backbone_never_trains(lite0):
    lite0.train()
    assert not any(module.training for module in lite0.modules())
    assert not any(weight.requires_grad for weight in lite0.parameters())
    assert not lite0(_images(1, 3, 32, 32)).requires_grad


def test_grey_equals_the_same_grey_as_rgb(lite0):
    grey = _images(1, 1, 48, 32)
    assert torch.allclose(lite0(grey), lite0(grey.repeat(1, 3, 1, 1)), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "stages", "stride", "channels", "multiple"),
    [
        ("lite0", [4], 8, 112, 16),
        ("lite0", [1, 2], 8, 64, 8),
        ("lite0", [2, 3], 16, 120, 16),
        ("lite0", [2], 4, 40, 8),
        ("resnet18", [1, 2], 8, 192, 8),
        ("convnext_atto", [1], None, 80, 8),
        ("vit_tiny_patch16_224", [0, 3], None, 384, 16),
        ("vit_tiny_patch16_224", [1], 8, 192, 16),
    ],
)
def test_stages_are_brought_to_one_stride(name, stages, stride, channels, multiple):
    backbone = Backbone(find(name), stages, stride)
    assert (backbone.channels, backbone.multiple) == (channels, multiple)
    height, width = 3 * multiple, 2 * multiple
    features = backbone(_images(1, 3, height, width))
    assert features.shape == (1, channels, height // backbone.stride, width // backbone.stride)
    assert features.isfinite().all()


@pytest.mark.parametrize("stages", [[], [-1], [7]])
def test_a_stage_that_is_not_there_is_refused(stages):
    with pytest.raises(SettingsError, match="lite0 has the stages 0 to 6"):
        Backbone(LITE0, stages)


@pytest.mark.parametrize("stride", [0, -8, 12])
def test_a_stride_that_does_not_fit_is_refused(stride):
    with pytest.raises(SettingsError, match=f"backbone.stride = {stride}: must be at most 8"):
        Backbone(LITE0, None, stride)


def test_images_are_normalised_as_timm_says():
    entry = find("resnet18")
    images = _images(1, 3, 8, 8)
    mean, std = (torch.tensor(values)[:, None, None] for values in (entry.mean, entry.std))
    wanted = ((images + 1) / 2 - mean) / std
    assert torch.allclose(Backbone(entry)._normalise(images), wanted, atol=1e-5)


def test_a_transformer_drops_its_class_token_and_takes_other_sizes():
    network = timm.create_model("vit_tiny_patch16_224", pretrained=False, dynamic_img_size=True)
    backbone = Backbone(find("vit_tiny_patch16_224"), [2])
    backbone.load(network.state_dict())
    images = _images(1, 3, 48, 64)
    with torch.no_grad():
        rounded = {name: x.half().float() for name, x in network.state_dict().items()}
        network.load_state_dict(rounded)
        x = network._pos_embed(network.eval().patch_embed(images))
        tokens = network.blocks[:3](x)[:, 1:]
        wanted = tokens.reshape(1, 3, 4, 192).permute(0, 3, 1, 2)
        wanted = F.avg_pool2d(F.pad(wanted, (1, 1, 1, 1), mode="replicate"), 3, 1)
    assert torch.allclose(backbone(images), wanted, atol=1e-4)


def test_it_is_built_without_memory():
    with torch.device("meta"):
        backbone = Backbone(LITE0)
    assert all(weight.is_meta for weight in backbone.parameters())
    assert backbone.state_dict().keys() == Backbone(LITE0).state_dict().keys()


def test_a_traced_backbone_takes_other_sizes(lite0):
    traced = torch.jit.trace(lite0, _images(1, 3, 64, 48), check_trace=False)
    images = _images(1, 3, 32, 112)
    assert torch.allclose(traced(images), lite0(images), atol=1e-5)
