import numpy as np
import pytest
import torch
from digits import WHOLE, separation

from anomgan.detectors.anogan import AnoGAN
from anomgan.generators.latent_search import search_loss

SMALL = {
    "network": {"latent_dim": 8, "features": 8},
    "training": {"steps": 200, "batch_size": 32, "learning_rate": 1e-3},
    "search": {"steps": 60, "restarts": 2},
}


@pytest.mark.parametrize("start", ["random", "encoder"])
def test_digits_that_were_never_seen_are_told_apart(start):
    encoder = {"steps": 150, "mode": "izi"}
    made = AnoGAN(device="cpu", start=start, encoder=encoder, **SMALL, **WHOLE)
    assert separation(made) > 0.9


@pytest.mark.parametrize("space", ["w", "w+"])
@pytest.mark.parametrize("start", ["random", "encoder"])
def test_the_styles_of_stylegan_are_searched(line, start, space):
    made = AnoGAN(
        device="cpu",
        generator="stylegan",
        start=start,
        view={"kind": "whole", "size": 16},
        calibration={"minimum": 6},
        network={"latent_dim": 6, "features": 4, "mapping_layers": 2},
        training={"steps": 3, "batch_size": 4},
        encoder={"steps": 3, "mode": "ziz"},
        search={"steps": 4, "restarts": 2, "space": space, "prior": 0.1},
    ).fit(line / "train" / "good")
    result = made.score(np.zeros((16, 16, 3), np.uint8))
    assert np.isfinite(result.score)
    found = made.search(torch.zeros(2, made.fitted.preparation.channels, 16, 16))
    assert found.code.shape == (2, 6 if space == "w" else 6 * 6)


def test_the_score_is_the_loss_at_the_end_of_the_search(line):
    common = SMALL | {"training": {"steps": 2, "batch_size": 4}}
    made = AnoGAN(
        device="cpu",
        view={"kind": "whole", "size": 32},
        calibration={"minimum": 6},
        score={"standardise": False, "top_share": 1.0},
        weights={"search": 1.0, "residual": 0.0, "contrast": 0.0},
        **common,
    ).fit(line / "train" / "good")
    image = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    result = made.score(image)
    x = torch.from_numpy(made.fitted.preparation(image)).permute(2, 0, 1)[None] / 127.5 - 1
    found = made.search(x)
    with torch.no_grad():
        features = made.gan.features(x)
        loss = search_loss(made.gan, x, features, found.code, made.settings.search)
    assert result.score * x.numel() == pytest.approx(loss.item(), rel=1e-3)
