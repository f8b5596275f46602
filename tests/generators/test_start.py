"""Fine-tuning: the first weights are those of another model, and frozen parts stay as they are."""

import numpy as np
import pytest
import torch

from anomgan.errors import ModelError, SettingsError, TrainingError
from anomgan.generators import load_generator, train_generator
from anomgan.model_files import model_id

IMAGES = list(np.random.default_rng(0).integers(0, 256, (12, 16, 16), dtype=np.uint8))
TINY = {
    "view": {"size": 16},
    "network": {"latent_dim": 4, "features": 2},
    "training": {"steps": 2, "batch_size": 4, "ema": 0.0},
}
STILL = {**TINY["training"], "steps": 1, "learning_rate": 1e-12}
"""Steps that change nothing."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Model folders of two methods; in stylegan the mean style and the noise are learnt, too."""
    place = tmp_path_factory.mktemp("start")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anomgan.generators.trained_gan.GRID", 1)  # samples.png takes seconds
        for name in ("dcgan", "stylegan"):
            train_generator(IMAGES, generator=name, device="cpu", **TINY).save(place / name)
    return {name: place / name for name in ("dcgan", "stylegan")}


def tune(folder, images=IMAGES, **options):
    values = {"training": TINY["training"], "seed": 5, "device": "cpu"} | options
    return train_generator(images, generator=folder.name, init=folder, **values)


def weights(model):
    return {name: one.clone() for name, one in model.method.networks.state_dict().items()}


def test_it_starts_at_the_weights_that_are_given_and_takes_their_sizes(folders):
    folder = folders["stylegan"]
    before = load_generator(folder, "cpu")
    after = tune(folder, training=STILL)
    assert after.settings.network == before.settings.network
    kept, still = weights(before), weights(after)
    assert kept.pop("mapping.mean").shape == still.pop("mapping.mean").shape, "it is measured anew"
    for name, one in kept.items():
        assert torch.allclose(one, still[name], atol=1e-7), name
    assert np.abs(after.sample(4).astype(int) - before.sample(4)).max() <= 1
    fresh = train_generator(IMAGES, generator="stylegan", device="cpu", seed=5, **TINY)
    assert np.abs(fresh.sample(4).astype(int) - before.sample(4)).max() > 1
    about = after.facts["init"]
    assert about["model"] == str(folder) and about["model_id"] == model_id(folder)
    assert about["training"]["steps"] == 2, "what the first model learnt"


@pytest.mark.parametrize(
    ("method", "frozen", "moving"),
    [
        ("stylegan", ["mapping", "synthesis.blocks.0"], "synthesis.blocks.1"),
        ("stylegan", ["discriminator"], "synthesis.blocks.0"),
        ("dcgan", ["generator.layers.0", "generator.layers.1", "discriminator"], "generator"),
        ("dcgan", ["generator", "discriminator.hidden.0"], "discriminator.hidden.1"),
    ],
)
def test_frozen_parts_keep_their_weights_and_statistics(folders, method, frozen, moving):
    before = weights(load_generator(folders[method], "cpu"))
    # An average of weights measures the statistics of batch norm anew: of what is not frozen.
    averaged = {**TINY["training"], "ema": 0.5 if "generator.layers.1" in frozen else 0.0}
    model = tune(folders[method], freeze=frozen, training=averaged)
    after = weights(model)
    parts = tuple(f"{name}." for name in frozen)
    still = [name for name in before if name.startswith(parts)]
    assert still and all(torch.equal(before[name], after[name]) for name in still)
    moved = [name for name in before if name.startswith(moving) and name not in still]
    assert any(not torch.equal(before[name], after[name]) for name in moved)
    assert model.facts["init"]["frozen"] == frozen
    if frozen[-1] == "discriminator":
        assert model.history[-1]["discriminator_trains"] == 0


def test_weights_that_do_not_fit_are_refused_with_what_differs(folders, tmp_path):
    folder = folders["stylegan"]
    with pytest.raises(SettingsError, match="is a model of stylegan, not of dcgan"):
        train_generator(IMAGES, generator="dcgan", init=folder)
    with pytest.raises(SettingsError, match=r"do not fit: network\.features = 4 here, 2 there$"):
        tune(folder, network={"features": 4})
    with pytest.raises(SettingsError, match=r"view\.size = 32 here, 16 there"):
        tune(folder, view={"size": 32})
    with pytest.raises(SettingsError, match="image channels = 3 here, 1 there"):
        tune(folder, image={"channels": "rgb"})
    with pytest.raises(ModelError, match="no model folder"):
        tune(tmp_path / "stylegan")


def test_a_part_that_there_is_not_is_named_with_similar_ones(folders):
    wrong = r"no part synthesis\.block\.0 to freeze\. Similar: synthesis\.blocks\.0.* mapping, syn"
    with pytest.raises(SettingsError, match=wrong):
        tune(folders["stylegan"], freeze=["synthesis.block.0"])
    with pytest.raises(SettingsError, match="Similar: mapping"):
        tune(folders["stylegan"], freeze=["generator.mapping"])
    with pytest.raises(SettingsError, match="all networks are frozen"):
        tune(folders["dcgan"], freeze=["generator", "discriminator"])
    with pytest.raises(SettingsError, match="freeze needs init"):
        train_generator(IMAGES, generator="dcgan", freeze=["generator"])


def test_a_training_is_resumed_from_the_same_weights_only(folders, tmp_path):
    folder = folders["dcgan"]
    tune(folder, work_folder=tmp_path)
    longer = {**TINY["training"], "steps": 3}
    again = {"work_folder": tmp_path, "resume": True, "training": longer}
    with pytest.raises(TrainingError, match="other frozen parts; use the same"):
        tune(folder, freeze=["discriminator"], **again)
    with pytest.raises(TrainingError, match="and initial weights and frozen parts; use"):
        train_generator(IMAGES, generator="dcgan", device="cpu", seed=5, **{**TINY, **again})
    assert tune(folder, **again).facts["steps"] == 3
