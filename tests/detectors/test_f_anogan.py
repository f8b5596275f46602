import json

import pytest
import torch
from digits import WHOLE, separation

from anomgan.config_values import build_settings, without_idle
from anomgan.detectors import load
from anomgan.detectors.anogan import AnoGANSettings
from anomgan.detectors.f_anogan import EncoderRecipe, EncoderSettings, FAnoGAN, FAnoGANSettings
from anomgan.errors import SettingsError
from anomgan.generators import GENERATORS
from anomgan.model_files import CHECKSUM
from anomgan.training.recipe import Adam, RMSProp

SMALL = {"view": {"size": 32}, "network": {"features": 4, "latent_dim": 6, "critic_steps": 2}}


@pytest.fixture
def made():
    made = FAnoGAN(device="cpu", encoder={"features": 4}, **SMALL)
    torch.manual_seed(0)
    made.networks = made.build(1)
    return made


@pytest.mark.parametrize("mode", ["ziz", "izi", "izi_f"])
def test_the_encoder_loss_is_that_of_the_paper(made, mode):
    settings = EncoderSettings(mode=mode, kappa=0.5, layer=0)
    encoder = made.networks["encoder"]
    x = torch.rand(4, 1, 32, 32) * 2 - 1
    torch.manual_seed(1)
    (update,) = EncoderRecipe(made.gan, encoder, settings).step(x)
    torch.manual_seed(1)
    z = torch.randn(4, 6)
    with torch.no_grad():
        if mode == "ziz":
            expected = (encoder(made.gan.generate(z)).flatten(1) - z).square().mean()
        else:
            rebuilt = made.gan.generate(encoder(x).flatten(1))
            expected = (rebuilt - x).square().mean()
            if mode == "izi_f":
                distance = made.gan.features(rebuilt, 0) - made.gan.features(x, 0)
                expected += 0.5 * distance.square().mean()
    assert update.loss.item() == pytest.approx(expected.item(), rel=1e-3)


def test_the_score_is_image_error_plus_kappa_times_feature_error(made):
    made.networks.eval()
    x = torch.rand(3, 1, 32, 32) * 2 - 1
    with torch.no_grad():
        maps = made.infer(x)
        rebuilt = made.gan.generate(made.networks["encoder"](x).flatten(1))
        distance = (made.gan.features(rebuilt) - made.gan.features(x)).square().mean((1, 2, 3))
    assert torch.allclose(maps["reconstruction"], rebuilt)
    assert torch.allclose(maps["feature"].mean((1, 2, 3)), distance, rtol=1e-4)


def test_the_encoder_of_the_authors_has_residual_blocks_tanh_and_rmsprop():
    paper = {"blocks": "residual", "output": "tanh", "optimiser": "rmsprop", "features": 4}
    made = FAnoGAN(device="cpu", encoder=paper, **SMALL)
    encoder = made.build(1)["encoder"]
    z = encoder(100 * torch.randn(5, 1, 32, 32))
    assert z.shape == (5, 6) and z.abs().max() <= 1
    assert any(isinstance(layer, torch.nn.BatchNorm2d) for layer in encoder.modules())
    recipe = EncoderRecipe(made.gan, encoder, made.settings.encoder)
    assert recipe.optimiser == RMSProp(5e-5, 0.9)
    assert EncoderRecipe.optimiser == Adam(5e-5, 0.5, 0.999)


def test_the_second_phase_leaves_generator_and_critic_alone(line):
    images = line / "train" / "good"
    common = SMALL | {"calibration": {"minimum": 6}, "training": {"steps": 2, "batch_size": 4}}
    weights = []
    for steps in (1, 6):
        made = FAnoGAN(device="cpu", encoder={"steps": steps, "features": 4}, **common).fit(images)
        weights.append({name: t.clone() for name, t in made.networks.state_dict().items()})
    changed = {
        name.split(".")[0]
        for name in weights[0]
        if not torch.equal(weights[0][name], weights[1][name])
    }
    assert changed == {"encoder"}


def test_a_fit_goes_on_between_the_phases_and_inside_them(line, tmp_path):
    images = line / "train" / "good"

    def fit(steps, **options):
        made = FAnoGAN(
            device="cpu",
            encoder={"steps": 5, "features": 4},
            calibration={"minimum": 6},
            training={"steps": steps, "batch_size": 4},
            **SMALL,
        )
        return made.fit(images, **options)

    whole = fit(4)
    fit(4, work_folder=tmp_path)
    (tmp_path / "encoder.safetensors").unlink()  # as if stopped between the phases
    again = fit(4, work_folder=tmp_path, resume=True)
    for name, tensor in whole.networks.state_dict().items():
        assert torch.equal(again.networks.state_dict()[name], tensor), name


@pytest.mark.parametrize("mode", ["ziz", "izi", "izi_f"])
def test_digits_that_were_never_seen_are_told_apart(mode):
    made = FAnoGAN(
        device="cpu",
        generator="dcgan",
        network={"latent_dim": 12, "features": 8},
        training={"steps": 200, "batch_size": 32},
        encoder={"mode": mode, "steps": 200},
        **WHOLE,
    )
    assert separation(made) > 0.9


@pytest.mark.parametrize("generator", sorted(GENERATORS))
@pytest.mark.parametrize("space", ["pixels", "features"])
@pytest.mark.parametrize(
    ("kind", "critic_steps"), [(AnoGANSettings, (5, 2)), (FAnoGANSettings, (3, 2))]
)
def test_the_network_is_of_the_chosen_generator(kind, critic_steps, space, generator):
    settings = build_settings(kind, {"generator": generator, "space": space})
    assert type(settings.network) is GENERATORS[generator].settings_type
    assert settings.network.latent_dim == (64 if space == "pixels" else 128)
    if generator.startswith("wgan"):
        assert settings.network.critic_steps == critic_steps[space == "features"]
    assert build_settings(kind, without_idle(kind, settings.model_dump())) == settings


def test_settings_of_another_generator_are_refused_with_those_that_are_known():
    with pytest.raises(SettingsError) as caught:
        build_settings(FAnoGANSettings, {"generator": "dcgan", "network": {"clip": 0.1}})
    known = "known here: latent_dim, features, spectral_norm"
    assert f"network.clip = 0.1: dcgan does not use it ({known})" in str(caught.value)
    with pytest.raises(SettingsError, match="generator = 'gun': input should be 'gan', 'dcgan'"):
        build_settings(FAnoGANSettings, {"generator": "gun", "network": {"clip": 0.1}})
    with pytest.raises(SettingsError, match="network.features = 0: input should be greater"):
        build_settings(FAnoGANSettings, {"network": {"features": 0}})


def test_a_model_with_the_settings_of_all_generators_still_loads(line, tmp_path):
    small = SMALL | {"calibration": {"minimum": 6}, "training": {"steps": 1, "batch_size": 4}}
    made = FAnoGAN(device="cpu", encoder={"steps": 1, "features": 4}, **small)
    made.fit(line / "train" / "good").save(tmp_path / "model")
    file = tmp_path / "model" / "model.json"
    card = json.loads(file.read_text())
    del card[CHECKSUM]
    card["settings"]["network"] |= {"clip": 0.01, "r1": 1.0, "spectral_norm": True}
    file.write_text(json.dumps(card))
    assert load(tmp_path / "model", "cpu").settings == made.settings
