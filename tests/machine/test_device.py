import pytest
import torch

from anomgan.errors import SettingsError
from anomgan.machine.device import choose_device, read_device


@pytest.mark.parametrize(
    "name", ["cpu:x", "cpu:", "cuda:one", "gpu", "", "cpu:-1", "xla", "meta", 0]
)
def test_a_name_that_is_no_device_is_refused_with_those_that_are(name):
    with pytest.raises(SettingsError, match="choose auto, cpu, cuda or mps"):
        choose_device(name)


@pytest.mark.parametrize("name", ["cpu:1", "cuda:99", "mps:3"])
def test_a_device_that_is_not_there_is_refused(name):
    assert read_device(name).index
    with pytest.raises(SettingsError, match=f"{name} is not available here"):
        choose_device(name)


def test_auto_finds_a_device_that_computes():
    assert torch.zeros(2, device=choose_device("auto")).sum() == 0
