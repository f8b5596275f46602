import pytest
import torch
import torch.nn.functional as F
from digits import WHOLE, separation

from anomgan import GANomaly
from anomgan.detectors.ganomaly import GANomalyRecipe, LossSettings


def detector(**values):
    small = {"view": {"size": 32}, "network": {"features": 4, "latent_dim": 6}}
    made = GANomaly(device="cpu", **(small | values))
    torch.manual_seed(0)
    made.networks = made.build(1)
    return made


def test_the_generator_loss_is_equation_4():
    made = detector()
    x = torch.rand(4, 1, 32, 32) * 2 - 1
    update = next(GANomalyRecipe(made.networks, LossSettings()).step(x))
    net = made.networks
    z = net["encoder"](x)
    x_hat = net["decoder"](z)
    z_hat = net["second_encoder"](x_hat)
    contextual = (x - x_hat).abs().mean()
    encoder = ((z - z_hat) ** 2).mean()
    assert update.terms["contextual"].item() == pytest.approx(contextual.item(), rel=1e-4)
    assert update.terms["encoder"].item() == pytest.approx(encoder.item(), rel=1e-4)
    expected = update.terms["adversarial"] + 50 * contextual + encoder
    assert update.loss.item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize(("floor", "learns"), [(0.0, True), (0.2, False)])
def test_a_discriminator_that_wins_sits_out(floor, learns):
    made = detector()
    recipe = GANomalyRecipe(made.networks, LossSettings(discriminator_floor=floor))

    class Certain(torch.nn.Module):
        def forward(self, x):
            real = bool((x == 1).all())
            return torch.full((len(x), 1, 1, 1), 9.0 if real else -9.0), torch.zeros(len(x), 1)

    made.networks["discriminator"] = Certain()
    _, update = list(recipe.step(torch.ones(4, 1, 32, 32)))
    assert update.terms["discriminator"].item() < 0.001
    assert (update.loss.item() > update.floor) == learns


def test_evidence_is_what_the_paper_says():
    made = detector(network={"features": 4, "latent_dim": 6, "bottleneck": "vector"})
    made.networks.eval()
    x = torch.rand(3, 1, 32, 32) * 2 - 1
    with torch.no_grad():
        maps = made.infer(x)
        z = made.networks["encoder"](x)
        z_hat = made.networks["second_encoder"](maps["reconstruction"])
    distance = F.mse_loss(z, z_hat, reduction="none").mean(dim=(1, 2, 3))
    assert torch.allclose(maps["latent"], distance[:, None, None, None].expand(-1, 1, 32, 32))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {
            "network": {"features": 16, "latent_dim": 8, "bottleneck": "vector"},
            "score": {"standardise": False, "smooth": 0.0, "top_share": 1.0},
            "weights": {"latent": 1.0, "residual": 0.0, "contrast": 0.0},
            "heatmap_weights": {"latent": 0.0, "residual": 1.0, "contrast": 0.0},
        },
    ],
    ids=["parts", "paper"],
)
def test_digits_that_were_never_seen_are_told_apart(values):
    common = WHOLE | {
        "training": {"steps": 250, "batch_size": 32, "learning_rate": 1e-3},
        "network": {"features": 16, "latent_dim": 8},
    }
    # Seeds differ by 0.03, as do versions of torch.
    seeds = [separation(GANomaly(device="cpu", seed=n, **(common | values))) for n in range(3)]
    assert sum(seeds) / 3 > 0.93
