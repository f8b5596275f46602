import torch

from anomgan.networks.texture import GAIN, changed, texture, with_texture

FINE = torch.tensor([0.1, -0.1]).repeat(8).expand(1, 3, 16, 16)
LIGHT = torch.linspace(-1, 1, 16)[:, None].expand(1, 3, 16, 16)


def test_light_has_no_texture_and_a_fine_pattern_is_amplified():
    assert texture(LIGHT)[:, :, 1:-1].abs().max() < 1e-5
    image, fine = with_texture(LIGHT + FINE).chunk(2, 1)
    assert torch.equal(image, LIGHT + FINE)
    assert torch.allclose(
        fine[:, :, 1:-1, 1:-1], (GAIN * FINE * 4 / 3)[:, :, 1:-1, 1:-1], atol=1e-5
    )


def test_a_change_is_added_and_its_last_map_weighs_the_texture():
    x, inside = LIGHT + FINE, (..., slice(1, -1), slice(1, -1))
    change = torch.rand(1, 3, 16, 16)
    assert torch.equal(changed(x, change), x + change)
    for share in (-0.75, 0.0, 1.5):
        made = torch.cat([change, torch.full((1, 1, 16, 16), share)], 1)
        expected = LIGHT + change + (1 + share * 4 / 3) * FINE
        assert torch.allclose(changed(x, made)[inside], expected[inside], atol=1e-5)
