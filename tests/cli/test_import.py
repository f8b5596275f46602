import numpy as np
import torch
from PIL import Image
from published import StyleGANPort


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
