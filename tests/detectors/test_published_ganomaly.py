"""Imported weights give the authors' score, and good images the threshold."""

import numpy as np
import pytest
import torch
from PIL import Image
from published import GANomalyDiscriminator, GANomalyGenerator

from anomgan.detectors import load
from anomgan.detectors.published_ganomaly import import_ganomaly
from anomgan.errors import ModelError


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = GANomalyGenerator(4, 6, 1)
    for name, tensor in network.state_dict().items():
        if "running_mean" in name:
            torch.nn.init.normal_(tensor, 0, 0.3)
        if "running_var" in name:
            torch.nn.init.uniform_(tensor, 0.5, 1.5)
    return network.eval()


@pytest.fixture
def file(network, tmp_path):
    torch.save({"epoch": 3, "state_dict": network.state_dict()}, tmp_path / "netG.pth")
    return tmp_path / "netG.pth"


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
    network, file, normals, tmp_path
):
    import_ganomaly(file, normals, device="cpu").save(tmp_path / "model")
    detector = load(tmp_path / "model", "cpu")
    paths = sorted(normals.iterdir())[:4]
    x = torch.stack([torch.from_numpy(np.array(Image.open(one))) for one in paths])
    x = x[:, None].float() / 127.5 - 1
    rebuilt, z, z_hat = network(x)
    scores = torch.tensor([one.score for one in detector.score(paths)])
    assert torch.allclose(scores, (z - z_hat).square().mean(1).flatten(), atol=1e-4)
    assert torch.allclose(detector.infer(x)["reconstruction"], rebuilt, atol=1e-4)
    facts = detector.fitted.facts
    assert facts["steps"] == 0 and facts["imported"]["file"] == "netG.pth"
    assert facts["calibration_images"] >= 20 and facts["imported"]["untrained"] == []


def test_what_does_not_fit_is_named(network, file, normals):
    judge = file.with_name("netD.pth")
    torch.save({"state_dict": GANomalyDiscriminator(4, 1).state_dict()}, judge)
    with pytest.raises(ModelError, match=r"netD\.pth has no encoder1; is it of another method"):
        import_ganomaly(judge, normals)
    theirs = network.state_dict()
    extra = {**theirs, "encoder1.main.extra-layers-0-4-conv.weight": torch.zeros(4, 4, 3, 3)}
    torch.save({"state_dict": extra}, file)
    with pytest.raises(ModelError, match=r"extra-layers-0-4-conv\.weight, which has no place"):
        import_ganomaly(file, normals)
    del theirs["decoder.main.initial-8-batchnorm.running_var"]
    torch.save({"state_dict": theirs}, file)
    with pytest.raises(ModelError, match=r"has no decoder\.main\.initial-8-batchnorm\.running_var"):
        import_ganomaly(file, normals)
