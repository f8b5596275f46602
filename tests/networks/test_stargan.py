import pytest
import torch

from anomgan.errors import SettingsError
from anomgan.networks.stargan import StarGANDiscriminator


@pytest.mark.parametrize(("size", "patches"), [(8, 2), (16, 2), (64, 2), (96, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_is_judged_by_patches_and_named(size, patches, channels):
    discriminator = StarGANDiscriminator(size, channels, 5, 2)
    values, labels = discriminator(torch.randn(3, channels, size, size))
    assert values.shape == (3, 1, patches, patches) and labels.shape == (3, 5)


def test_images_of_a_batch_do_not_see_each_other():
    # The gradient penalty is for each image by itself (Gulrajani et al. 2017, section 4).
    discriminator = StarGANDiscriminator(16, 1, 3, 4)
    x = torch.randn(4, 1, 16, 16)
    for whole, alone in zip(discriminator(x), discriminator(x[:1]), strict=True):
        assert torch.allclose(whole[:1], alone, atol=1e-6)


def test_other_sizes_are_refused():
    with pytest.raises(SettingsError, match="view.size = 22"):
        StarGANDiscriminator(22, 1, 2, 4)
