"""What all translators do, once they are trained."""

import json

import numpy as np
import pytest
from conftest import MODEL_FILES, a_callers_state
from digits import load

from anomgan.data.labels import from_domains, join
from anomgan.errors import InputError, ModelError, SettingsError
from anomgan.generators import load_gan, load_translator, train_generator
from anomgan.model_files import CHECKSUM

NETWORKS = {
    "cyclegan": {"features": 4, "blocks": 1, "patch_layers": 2, "pool": 3},
    "stargan": {"features": 4, "blocks": 1, "critic_steps": 2},
    "stargan_v2": {"features": 4, "latent_dim": 4, "style_dim": 8, "hidden": 16},
}
EVERY = pytest.mark.parametrize("name", sorted(NETWORKS))


def small(name, **values):
    return {
        "generator": name,
        "device": "cpu",
        "view": {"size": 16},
        "network": NETWORKS[name],
        "training": {"steps": 3, "batch_size": 4, "decay_from": 1.0, "ema": 0.5},
    } | values


@pytest.fixture(scope="module")
def domains():
    """Digits in white on black, and other ones in black on white."""
    images = load()[0][:60, ::2, ::2]
    return {"dark": list(images[:30]), "bright": list(255 - images[30:])}


@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("cyclegan", {"steps": 50, "batch_size": 4, "learning_rate": 2e-3}),
        ("stargan", {"steps": 70, "batch_size": 8, "learning_rate": 2e-3, "ema": 0.9}),
        ("stargan_v2", {"steps": 60, "batch_size": 4, "learning_rate": 1e-2, "ema": 0.9}),
    ],
)
def test_a_translated_image_is_as_bright_as_its_new_domain(domains, name, training):
    model = train_generator(domains, **small(name, training=training))
    dark, bright = (np.mean(domains[side]) for side in ("dark", "bright"))
    for source, target in (("dark", bright), ("bright", dark)):
        other = {"dark": "bright", "bright": "dark"}[source]
        found = np.mean(list(model.translate(domains[source][:10], to=other)))
        assert abs(found - target) < 0.5 * abs(np.mean(domains[source][:10]) - target)


@EVERY
def test_a_saved_translator_translates_the_same(domains, tmp_path, name):
    model = train_generator(domains, work_folder=tmp_path / "work", samples_every=2, **small(name))
    model.save(tmp_path / "model")
    files = {path.name for path in (tmp_path / "model").iterdir()}
    assert files == MODEL_FILES | {"losses.png", "samples.png", "samples"}
    assert [path.name for path in (tmp_path / "model" / "samples").iterdir()] == ["0000002.png"]
    again = load_translator(tmp_path / "model", device="cpu")
    assert again.names == ["dark", "bright"]
    for to in again.names:
        first, second = (list(one.translate(domains["dark"][:2], to=to)) for one in (model, again))
        assert first[0].shape == (16, 16) and first[0].dtype == np.uint8
        assert np.array_equal(first, second)
    with pytest.raises(ModelError, match=f"holds a translator, {name}: give it images"):
        load_gan(tmp_path / "model")


@EVERY
def test_a_model_from_when_all_translators_could_augment_still_loads(domains, tmp_path, name):
    model = train_generator(domains, **small(name))
    model.save(tmp_path / "model")
    file = tmp_path / "model" / "model.json"
    card = json.loads(file.read_text())
    del card[CHECKSUM]
    card["settings"]["network"]["diff_augment"] = True
    file.write_text(json.dumps(card))
    again = load_translator(tmp_path / "model", device="cpu")
    if name == "stargan":
        assert again.settings.network.diff_augment
    else:
        assert again.settings == model.settings
        with pytest.raises(SettingsError, match="unknown key network.diff_augment"):
            train_generator(domains, **small(name, network={"diff_augment": True}))


@EVERY
def test_a_translator_that_was_stopped_is_resumed_to_the_same_weights(domains, tmp_path, name):
    values = small(name)
    if name == "stargan_v2":  # its weight of diversity follows the length of the training
        values["network"] = values["network"] | {"diversity": 0.0}
    training = values["training"]
    first, rest = (values | {"training": training | {"steps": steps}} for steps in (4, 8))
    train_generator(domains, work_folder=tmp_path, **first)
    went_on = train_generator(domains, work_folder=tmp_path, resume=True, **rest)
    whole = train_generator(domains, **rest)
    expected = whole.method.networks.state_dict()
    for key, weight in went_on.method.networks.state_dict().items():
        assert np.array_equal(weight, expected[key]), key


@EVERY
def test_mixed_precision_trains(domains, name):
    training = {"steps": 3, "batch_size": 4, "precision": "bfloat16"}
    model = train_generator(domains, **small(name, training=training))
    assert all(np.isfinite(value) for row in model.history for value in row.values())
    (image,) = model.translate(domains["dark"][:1], to="bright")
    assert image.shape == (16, 16)


@EVERY
def test_images_of_any_size_and_colour_come_back_as_they_were_prepared(rng, name):
    def colours(count):
        return [rng.integers(0, 256, (40, 30, 3), dtype=np.uint8) for _ in range(count)]

    for kind, shape in (
        ("patch", (50, 37, 3)),
        ("whole", (16, 12, 3)),
        ("centre", (16, 16, 3)),
    ):
        values = small(name, view={"size": 16, "kind": kind})
        model = train_generator({"a": colours(2), "b": colours(2)}, **values)
        image = rng.integers(0, 256, (50, 37, 3), dtype=np.uint8)
        (result,) = model.translate([image], to="b")
        assert result.shape == shape and result.dtype == np.uint8
    with pytest.raises(SettingsError, match="this one sees only the square in the middle"):
        model.translate([image], to="b", full_size=True).__next__()


def test_a_style_comes_from_the_seed_or_from_a_reference(domains):
    model = train_generator(domains, **small("stargan_v2"))
    image = domains["dark"][:1]

    def style(**values):
        return model.style("bright", **values)

    assert np.array_equal(style(seed=1), style(seed=1))
    assert not np.array_equal(style(seed=1), style(seed=2))
    first, second = domains["bright"][:2]
    assert not np.array_equal(style(reference=first), style(reference=second))
    (as_reference,) = model.translate(image, to="bright", reference=first)
    expected = model.apply(model.preparation(image[0]), style(reference=first))
    assert np.array_equal(as_reference, expected)


def test_stargan_learns_two_data_sets_together(domains):
    halves = {name: images[:5] for name, images in domains.items()}
    others = {"x": halves["dark"], "y": halves["bright"]}
    labelled = join([from_domains(halves), from_domains(others)])
    model = train_generator(labelled, **small("stargan"))
    assert model.names == ["dark", "bright", "x", "y"]
    assert np.array_equal(model.encode("y"), [[np.nan, np.nan, 0, 1]], equal_nan=True)
    results = [list(model.translate(halves["dark"][:1], to=name))[0] for name in model.names]
    assert not np.array_equal(results[0], results[2]), "the mask is told, too"


def test_what_cannot_be_translated_is_explained(domains):
    model = train_generator(domains, **small("cyclegan"))
    images = domains["dark"][:1]
    with pytest.raises(SettingsError, match="unknown label 'grey': it knows dark, bright"):
        list(model.translate(images, to="grey"))
    with pytest.raises(SettingsError, match="say which domain to translate to: dark, bright"):
        list(model.translate(images))
    with pytest.raises(SettingsError, match="cyclegan knows no styles: give a domain"):
        list(model.translate(images, to="bright", reference=images[0]))
    with pytest.raises(InputError, match="a list of images has no labels"):
        train_generator(images, **small("stargan"))
    with pytest.raises(SettingsError, match="cyclegan translates between 2 domains, not 3"):
        train_generator(domains | {"more": images}, **small("cyclegan"))
    with pytest.raises(SettingsError, match="patch_layers = 6 halves views of 16 pixels too often"):
        train_generator(domains, **small("cyclegan", network={"patch_layers": 6}))


@EVERY
def test_the_callers_state_of_torch_does_not_matter(domains, name):
    def shown():
        return list(
            train_generator(domains, **small(name)).translate(domains["dark"][:2], to="bright")
        )

    expected = shown()
    with a_callers_state():
        assert np.array_equal(shown(), expected)
