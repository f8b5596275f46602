import pytest
from typer.testing import CliRunner

from anomgan.backbones import BACKBONES, find
from anomgan.backbones.timm_networks import measure
from anomgan.cli.app import app
from anomgan.errors import SettingsError


@pytest.mark.parametrize(
    ("name", "channels", "strides"),
    [("lite0", [40, 80, 112], [8, 16, 16]), ("dinov2-s", [384, 384], [14, 14])],
)
def test_the_tested_backbones_have_the_stages_they_name(name, channels, strides):
    entry = BACKBONES[name]
    stages = [measure(entry.timm_name)[0][index] for index in entry.stages]
    assert [stage.channels for stage in stages] == channels
    assert [stage.stride for stage in stages] == strides
    assert entry.long_side % entry.stride == 0


@pytest.mark.parametrize(
    ("name", "stages", "stride", "long_side"),
    [
        ("resnet18", (2, 3), 8, 512),
        ("tf_efficientnet_lite2.in1k", (2, 4), 8, 512),
        ("vit_tiny_patch16_224", (5, 8), 16, 512),
        ("vit_small_patch14_reg4_dinov2", (5, 8), 14, 518),
    ],
)
def test_other_networks_of_timm_get_usual_stages(name, stages, stride, long_side):
    entry = find(name)
    assert (entry.stages, entry.stride, entry.long_side) == (stages, stride, long_side)
    assert entry.licence == "apache-2.0"
    assert entry.package is None


def test_what_timm_says_about_colours_is_taken_over():
    assert find("resnet18").mean == BACKBONES["dinov2-s"].mean
    assert find("vit_tiny_patch16_224").mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "near"),
    [("lite", "lite0"), ("dinov2s", "dinov2-s"), ("resnet-18", "resnet18"), ("resnet18.x", "18")],
)
def test_an_unknown_name_gets_near_ones(name, near):
    with pytest.raises(SettingsError, match=near) as failure:
        find(name)
    assert repr(name) in str(failure.value)


def test_a_network_of_one_image_size_is_refused():
    with pytest.raises(SettingsError, match="images of any size"):
        find("hiera_tiny_224")


def test_maps_that_do_not_line_up_are_refused():
    with pytest.raises(SettingsError, match="line up"):
        find("inception_v3")


def test_the_command_line_lists_the_tested_ones():
    said = CliRunner().invoke(app, ["backbones"]).output
    for word in (*BACKBONES, "Apache-2.0", "timm"):
        assert word in said
