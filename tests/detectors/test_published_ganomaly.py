"""Imported weights give the authors' score, and good images the threshold."""

import numpy as np
import pytest
import torch
from PIL import Image
from published import GANomalyDiscriminator, GANomalyGenerator

from anomgan.detectors import load
from anomgan.detectors.published_ganomaly import import_ganomaly
from anomgan.errors import InputError, ModelError


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    networks = GANomalyGenerator(4, 6, 1), GANomalyDiscriminator(4, 1)
    for network in networks:
        for name, tensor in network.state_dict().items():
            if "running_mean" in name:
                torch.nn.init.normal_(tensor, 0, 0.3)
            if "running_var" in name:
                torch.nn.init.uniform_(tensor, 0.5, 1.5)
        network.eval()
    return networks


@pytest.fixture
def files(networks, tmp_path):
    paths = [tmp_path / "netG.pth", tmp_path / "netD.pth"]
    for path, network in zip(paths, networks):
        torch.save({"epoch": 3, "state_dict": network.state_dict()}, path)
    return paths


@pytest.fixture(scope="module")
def normals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ok")
    draw = np.random.default_rng(0)
    for number in range(60):
        pixels = draw.integers(0, 256, (16, 16), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@torch.no_grad()
def test_the_score_is_the_distance_of_the_latents_by_the_authors_networks(
    networks, files, normals, tmp_path
):
    import_ganomaly(files, normals, device="cpu").save(tmp_path / "model")
    detector = load(tmp_path / "model", "cpu")
    paths = sorted(normals.iterdir())[:4]
    x = torch.stack([torch.from_numpy(np.array(Image.open(one))) for one in paths])
    x = x[:, None].float() / 127.5 - 1
    rebuilt, z, z_hat = networks[0](x)
    scores = torch.tensor([one.score for one in detector.score(paths)])
    assert torch.allclose(scores, (z - z_hat).square().mean(1).flatten(), atol=1e-4)
    assert torch.allclose(detector.infer(x)["reconstruction"], rebuilt, atol=1e-4)
    values = detector.networks["discriminator"](x)[0].sigmoid().flatten()
    assert torch.allclose(values, networks[1](x), atol=1e-4)
    facts = detector.fitted.facts
    assert facts["steps"] == 0 and facts["imported"]["file"] == "netG.pth"
    assert facts["calibration_images"] >= 20 and facts["imported"]["untrained"] == []


def test_what_does_not_fit_is_named(networks, files, normals):
    with pytest.raises(ModelError, match=r"netD\.pth has no encoder1; is it of another method"):
        import_ganomaly(files[::-1], normals)
    with pytest.raises(InputError, match="3 files are too many"):
        import_ganomaly([*files, files[0]], normals)
    theirs = networks[0].state_dict()
    extra = {**theirs, "encoder1.main.extra-layers-0-4-conv.weight": torch.zeros(4, 4, 3, 3)}
    torch.save({"state_dict": extra}, files[0])
    with pytest.raises(ModelError, match=r"extra-layers-0-4-conv\.weight, which has no place"):
        import_ganomaly(files[:1], normals)
    del theirs["decoder.main.initial-8-batchnorm.running_var"]
    torch.save({"state_dict": theirs}, files[0])
    with pytest.raises(ModelError, match=r"has no decoder\.main\.initial-8-batchnorm\.running_var"):
        import_ganomaly(files[:1], normals)
