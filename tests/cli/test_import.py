import shlex
import shutil

import numpy as np
import torch
from PIL import Image
from published import (
    GANomalyGenerator,
    StarGANv2Generator,
    StarGANv2Mapping,
    StarGANv2StyleEncoder,
    StyleGANPort,
)

from anomgan import load


def test_import_says_what_it_needs_and_whose_an_option_is(run, line, tmp_path):
    path, out = tmp_path / "netG.pth", tmp_path / "model"
    path.write_bytes(b"no weights")

    def refused(*arguments):
        code, _, err = run("generator", "import", path, "--out", out, *arguments)
        assert code == 2 and "Traceback" not in err and not out.exists()
        return err

    assert "not a checkpoint of PyTorch" in refused("--method", "stargan_v2")
    assert "such as --size 256" in refused("--method", "stylegan")
    assert "--normal-dir ok/" in refused("--method", "ganomaly")
    images = ("--normal-dir", line / "train" / "good")
    assert f"{path} is not a checkpoint" in refused("--method", "ganomaly", *images)
    assert "--size: for stylegan only" in refused("--method", "ganomaly", "--size", 32)
    assert "--domain: for stargan_v2 only" in refused("--method", "stylegan", "--domain", "cat")


def test_an_imported_stylegan_draws(run, tmp_path, monkeypatch):
    monkeypatch.setattr("anomgan.generators.trained_gan.GRID", 1)  # samples.png takes seconds
    torch.manual_seed(0)
    path, out = tmp_path / "port.model", tmp_path / "model"
    torch.save({"g_running": StyleGANPort(6, 3).state_dict()}, path)
    command = ("generator", "import", path, "--method", "stylegan", "--size", 16, "--out", out)
    code, said, err = run(*command)
    assert code == 0, err
    assert "stylegan for images of 16 px" in said
    assert "no weights for our discriminator: they are random" in said
    drawn = tmp_path / "drawn"
    command = ("generator", "sample", "--model", out, "--count", 2, "--truncation", 0.7)
    code, _, err = run(*command, "--out", drawn)
    assert code == 0, err
    assert np.array(Image.open(drawn / "000001.png")).shape == (16, 16, 3)


def test_an_imported_stargan_v2_translates(run, line, tmp_path):
    torch.manual_seed(0)
    networks = {
        "generator": StarGANv2Generator(4, 5),
        "mapping_network": StarGANv2Mapping(3, 6, 5, 3),
        "style_encoder": StarGANv2StyleEncoder(4, 5, 3),
    }
    path, out, photos = tmp_path / "nets_ema.ckpt", tmp_path / "model", tmp_path / "photos"
    torch.save({name: network.state_dict() for name, network in networks.items()}, path)
    command = ["generator", "import", path, "--method", "stargan_v2", "--out", out]
    for name in ("cat", "dog", "wild"):
        command += ["--domain", name]
    code, said, err = run(*command)
    assert code == 0, err
    assert "stargan_v2 for images of 64 px" in said and "no weights for our discriminator" in said
    photos.mkdir()
    shutil.copy(line / "train" / "good" / "000.png", photos)
    name, *command = shlex.split(said.partition("Next:  ")[2].replace("photos/", str(photos)))
    assert name == "anomgan" and command[-4:] == ["--to", "wild", "--out", "translated/"]
    code, _, err = run(*command[:-1], tmp_path / "translated")
    assert code == 0, err
    assert Image.open(tmp_path / "translated" / "000.png").size == (64, 64)


def test_an_imported_ganomaly_scores(run, line, tmp_path):
    path, out = tmp_path / "netG.pth", tmp_path / "model"
    torch.save({"state_dict": GANomalyGenerator(4, 6, 1).state_dict()}, path)
    command = ("generator", "import", path, "--method", "ganomaly", "--normal-dir", line)
    code, said, err = run(*command, "--out", out)
    assert code == 0, err
    assert "ganomaly was measured on" in said and f"Its weights are from {path.name}" in said
    assert load(out, "cpu").score(line / "train" / "good" / "000.png").score > 0
