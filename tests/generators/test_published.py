"""Imported weights give the numbers that the authors' networks give."""

import json
import pickle

import numpy as np
import pytest
import torch
from published import (
    StarGANv2Discriminator,
    StarGANv2Generator,
    StarGANv2Mapping,
    StarGANv2StyleEncoder,
    StyleGANPort,
)

from anomgan.errors import InputError, ModelError, SettingsError
from anomgan.generators import load_translator
from anomgan.generators.published_stargan_v2 import import_stargan_v2
from anomgan.generators.published_stylegan import import_stylegan

CLOSE = 1e-4


@pytest.fixture(scope="module")
def stargan_v2():
    """The authors' networks for three domains, with random weights; biases and norms, too."""
    torch.manual_seed(0)
    networks = {
        "generator": StarGANv2Generator(4, 5),
        "mapping_network": StarGANv2Mapping(3, 6, 5, 3),
        "style_encoder": StarGANv2StyleEncoder(4, 5, 3),
        "discriminator": StarGANv2Discriminator(4, 3),
    }
    for network in networks.values():
        for weight in network.parameters():
            if weight.ndim == 1:
                torch.nn.init.normal_(weight, 0.5, 0.3)
    return networks


@pytest.fixture(scope="module")
def port():
    torch.manual_seed(0)
    return StyleGANPort(6, 3)


@pytest.fixture
def write(tmp_path):
    def call(content):
        torch.save(content, tmp_path / "published.ckpt")
        return tmp_path / "published.ckpt"

    return call


def states(networks):
    return {name: network.state_dict() for name, network in networks.items()}


def averaged(stargan_v2):
    """What `*_nets_ema.ckpt` holds."""
    return {name: one for name, one in states(stargan_v2).items() if name != "discriminator"}


@torch.no_grad()
def test_stargan_v2_translates_as_the_authors_networks_do(stargan_v2, write, tmp_path):
    model = import_stargan_v2(write(averaged(stargan_v2)), ["cat", "dog", "wild"], "cpu")
    model.save(tmp_path / "model")
    ours = load_translator(tmp_path / "model", "cpu").method.networks
    x, z = torch.rand(2, 3, 64, 64) * 2 - 1, torch.randn(2, 3)
    for domain in range(3):
        y = torch.tensor([domain, domain])
        drawn = stargan_v2["mapping_network"](z, domain)
        shown = stargan_v2["style_encoder"](x, domain)
        assert torch.allclose(ours["mapping"](z, y), drawn, atol=CLOSE)
        assert torch.allclose(ours["style_encoder"](x, y), shown, atol=CLOSE)
        for style in (drawn, shown):
            wanted = stargan_v2["generator"](x, style)
            assert torch.allclose(ours["generator"](x, style), wanted, atol=CLOSE)
    card = json.loads((tmp_path / "model" / "model.json").read_text())
    assert card["training"]["imported"]["file"] == "published.ckpt"
    assert card["training"]["imported"]["untrained"] == ["discriminator"]


@torch.no_grad()
def test_stargan_v2_brings_its_discriminator_if_the_file_has_it(stargan_v2, write):
    model = import_stargan_v2(write(states(stargan_v2)), device="cpu")
    assert model.names == ["domain0", "domain1", "domain2"]
    assert model.facts["imported"]["untrained"] == []
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    for domain in range(3):
        values = model.method.networks["discriminator"](x, torch.tensor([domain, domain]))
        assert torch.allclose(values, stargan_v2["discriminator"](x, domain), atol=CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("size", [8, 16, 32])
def test_stylegan_draws_as_the_port_does_at_every_size(port, write, size):
    gan = import_stylegan(write({"g_running": port.state_dict()}), size, "cpu")
    noises = [[half.noise for half in block] for block in gan.method.networks["synthesis"].blocks]
    z = torch.randn(4, 6)
    wanted = port(z, len(noises) - 1, noises)
    assert wanted.shape == (4, 3, size, size)
    assert torch.allclose(gan.method.generate(z), wanted, atol=CLOSE)
    mean = gan.method.embed(torch.randn(20_000, 6)).mean(0)
    assert torch.allclose(gan.method.networks["mapping"].mean, mean, atol=0.05)
    assert gan.sample(2, truncation=0.0)[0].shape == (size, size, 3)


def test_a_model_with_a_high_pass_filter_is_refused(stargan_v2, write):
    with pytest.raises(ModelError, match=r"high-pass filter .* AFHQ"):
        import_stargan_v2(write({**averaged(stargan_v2), "fan": {}}))
    deeper = StarGANv2Generator(4, 5, high_pass=True).state_dict()
    with pytest.raises(ModelError, match="high-pass filter"):
        import_stargan_v2(write({**averaged(stargan_v2), "generator": deeper}))


def test_what_is_missing_left_over_or_of_another_shape_is_named(stargan_v2, port, write):
    good = averaged(stargan_v2)

    def spoilt(**changes):
        generator = {**good["generator"], **changes}
        kept = {name: one for name, one in generator.items() if one is not None}
        return write({**good, "generator": kept})

    with pytest.raises(ModelError, match=r"has no encode\.1\.conv2\.bias"):
        import_stargan_v2(spoilt(**{"encode.1.conv2.bias": None}))
    with pytest.raises(ModelError, match=r"has extra\.weight, which has no place"):
        import_stargan_v2(spoilt(**{"extra.weight": torch.zeros(1)}))
    with pytest.raises(ModelError, match=r"to_rgb\.2\.bias has the shape \[4\]; \[3\] is needed"):
        import_stargan_v2(spoilt(**{"to_rgb.2.bias": torch.zeros(4)}))
    with pytest.raises(ModelError, match=r"to_rgb\.2\.bias holds values that are not finite"):
        import_stargan_v2(spoilt(**{"to_rgb.2.bias": torch.full((3,), torch.nan)}))
    with pytest.raises(ModelError, match=r"from_rgb\.weight has the shape \[2\]"):
        import_stargan_v2(spoilt(**{"from_rgb.weight": torch.zeros(2)}))
    with pytest.raises(ModelError, match=r"has no style_encoder .*it has generator"):
        import_stargan_v2(write({"generator": good["generator"], "mapping_network": {}}))
    with pytest.raises(SettingsError, match="3 domains; give 3 different names"):
        import_stargan_v2(write(good), ["cat", "dog"])
    theirs = port.state_dict()
    with pytest.raises(ModelError, match=r"noise1\.weight_orig has the shape \[\]"):
        name = "generator.progression.1.noise1.weight_orig"
        import_stylegan(write({"g_running": {**theirs, name: torch.tensor(1.0)}}), 16)
    with pytest.raises(SettingsError, match="images of 8, 16, 32 pixels, not 64"):
        import_stylegan(write({"g_running": theirs}), 64)


def test_a_file_that_is_no_checkpoint_is_not_opened(tmp_path, write):
    path = tmp_path / "published.ckpt"
    with pytest.raises(InputError, match="cannot read .*No such file"):
        import_stargan_v2(path)
    for content in (b"", b"no checkpoint", np.arange(99.0).tobytes()):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="not a checkpoint of PyTorch"):
            import_stargan_v2(path)
    mark = tmp_path / "mark"

    class Hostile:
        def __reduce__(self):
            return mark.touch, ()

    path.write_bytes(pickle.dumps(Hostile(), protocol=2))
    with pytest.raises(ModelError, match="holds more than weights"):
        import_stargan_v2(path)
    with pytest.raises(ModelError, match="holds more than weights"):
        import_stargan_v2(write({"generator": Hostile()}))
    assert not mark.exists()
    with pytest.raises(ModelError, match="holds a list"):
        import_stargan_v2(write([1, 2]))
    with pytest.raises(ModelError, match="generator does not hold the weights"):
        import_stargan_v2(write({"generator": [1]}))
