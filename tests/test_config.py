from pathlib import Path

import pytest
from conftest import ROOT

import anomgan
from anomgan.config_files import find_config, parse_assignments, read_toml
from anomgan.config_values import build_settings, merge, without_idle
from anomgan.detectors import DETECTORS, METHODS
from anomgan.detectors.ganomaly import GANomalySettings
from anomgan.errors import SettingsError
from anomgan.generators import GENERATORS
from anomgan.generators.trained import settings_of


def test_assignments_are_nested_and_typed():
    parsed = parse_assignments(
        ["training.steps=3000", "view.kind=whole", 'image.channels="grey"', "seed=7"]
    )
    assert parsed == {
        "training": {"steps": 3000},
        "view": {"kind": "whole"},
        "image": {"channels": "grey"},
        "seed": 7,
    }


def test_a_detector_sees_all_of_an_image():
    with pytest.raises(SettingsError, match="view.kind = centre leaves out the edges"):
        build_settings(GANomalySettings, {"view": {"kind": "centre"}})


def test_null_unsets_a_setting():
    values = parse_assignments(["training.learning_rate=null"])
    settings = build_settings(GANomalySettings, values | {"space": "features"})
    assert settings.training.learning_rate is None
    assert build_settings(GANomalySettings, {"space": "features"}).training.learning_rate == 1e-3


@pytest.mark.parametrize("wrong", ["training.steps", "=3", "a..b=1", ".=1"])
def test_malformed_assignments_are_refused(wrong):
    with pytest.raises(SettingsError, match="section.key=value"):
        parse_assignments([wrong])


def test_a_value_is_no_section_at_the_same_time():
    with pytest.raises(SettingsError, match="training.steps.x=1: steps is a value, not a section"):
        parse_assignments(["training.steps=5", "training.steps.x=1"])


def test_later_layers_win_and_sections_may_be_partial():
    merged = merge({"training": {"steps": 1, "ema": 0.5}}, {"training": {"steps": 2}})
    settings = build_settings(GANomalySettings, merged)
    assert settings.training.steps == 2
    assert settings.training.ema == 0.5
    assert settings.training.batch_size == GANomalySettings().training.batch_size


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"training": {"step": 5}}, ["unknown key training.step", "batch_size"]),
        ({"colour": 1}, ["unknown key colour", "training"]),
        ({"training": {"steps": "many"}}, ["training.steps = 'many'", "integer"]),
        ({"training": {"steps": 0}}, ["training.steps = 0", "greater than or equal to 1"]),
        ({"training": {"steps": True}}, ["training.steps = True"]),
        ({"view": {"kind": "half"}}, ["view.kind = 'half'", "'whole', 'patch' or 'centre'"]),
        ({"training": 3}, ["training = 3", "a section has keys, such as training.steps"]),
        ({"weights": {"squared": float("inf")}}, ["weights.squared = inf", "finite"]),
        ({"training": {"minutes": float("nan")}}, ["training.minutes = nan", "finite"]),
        (
            {"weights": {"latent": 0.0, "residual": 0.0, "contrast": 0.0}},
            ["residual, squared, contrast, magnitude, latent", "above 0"],
        ),
        ({"weights": {"colour": 1.0}}, ["unknown key weights.colour", "residual, squared"]),
    ],
)
def test_wrong_settings_are_named_with_what_is_allowed(values, named):
    with pytest.raises(SettingsError) as caught:
        build_settings(GANomalySettings, values, "my.toml")
    for part in ["my.toml", *named]:
        assert part in str(caught.value)


def test_every_shipped_settings_file_of_a_detector_is_valid():
    files = sorted((ROOT / "configs").glob("*.toml"))
    assert files
    for file in files:
        values = read_toml(file)
        assert build_settings(METHODS[values["detector"]].settings_type, values, file.name)


def test_every_shipped_settings_file_of_a_generator_is_valid():
    files = sorted((ROOT / "configs" / "generators").glob("*.toml"))
    assert files
    for file in files:
        values = read_toml(file)
        settings = build_settings(settings_of(values["generator"]), values, file.name)
        assert file.name.startswith(f"{settings.generator}_")


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_the_parts_file_of_a_detector_spells_out_its_defaults(name):
    kind = DETECTORS[name].settings_type
    values = read_toml(ROOT / "configs" / f"{name.replace('-', '_')}_parts.toml")
    assert build_settings(kind, values) == kind()
    used = {key for key in kind.model_fields if key != "backbone"}
    assert set(values) == used, "every section that pixels use is there to change"


@pytest.mark.parametrize("name", ["anogan_paper", "f_anogan_paper"])
def test_the_gan_of_a_paper_learns_as_fast_as_in_the_paper(name):
    values = read_toml(Path(name))
    settings = build_settings(METHODS[values["detector"]].settings_type, values)
    own = GENERATORS[settings.generator].optimiser
    given = settings.training.learning_rate, settings.training.beta1
    assert given == (own.learning_rate, own.beta1)


@pytest.mark.parametrize("name", ["ganomaly_paper", "ganomaly_paper.toml"])
def test_a_shipped_settings_file_is_found_by_its_name_anywhere(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ganomaly_paper").mkdir()  # a model folder of that name is no settings file
    installed = Path(anomgan.__file__).parent / "configs"  # in a checkout they lie beside it
    folder = installed if installed.is_dir() else ROOT / "configs"
    shipped = folder / "ganomaly_paper.toml"
    assert find_config(name) == shipped
    assert shipped.read_bytes() == (ROOT / "configs" / "ganomaly_paper.toml").read_bytes()
    assert find_config("dcgan_paper") == folder / "generators" / "dcgan_paper.toml"
    assert read_toml(name)["detector"] == "ganomaly"


def test_a_settings_file_that_exists_comes_before_a_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "ganomaly_paper.toml"
    own.write_text("seed = 3")
    assert read_toml("ganomaly_paper.toml") == {"seed": 3}
    assert read_toml(own) == {"seed": 3}


def test_an_unknown_settings_file_is_refused_with_near_names(tmp_path):
    with pytest.raises(SettingsError, match="no settings file ganomaly_papr.*ganomaly_paper"):
        find_config("ganomaly_papr")
    with pytest.raises(SettingsError, match="no settings file .*ganomaly_paper"):
        find_config(tmp_path / "ganomaly_paper.toml")  # a path that is wrong is not guessed


def test_shipped_settings_files_have_names_of_their_own():
    names = [file.stem for file in (ROOT / "configs").rglob("*.toml")]
    assert len(names) == len(set(names))


def test_unreadable_settings_files_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="none.toml"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("steps = = 3")
    with pytest.raises(SettingsError, match="not a TOML"):
        read_toml(tmp_path / "bad.toml")


@pytest.mark.parametrize("name", ["anogan", "egbad", "f-anogan", "ganomaly"])
def test_the_features_file_of_a_detector_has_its_defaults_there(name):
    kind = DETECTORS[name].settings_type
    values = read_toml(ROOT / "configs" / f"{name.replace('-', '_')}_features.toml")
    assert build_settings(kind, values) == build_settings(kind, {"space": "features"})


def test_evidence_of_the_other_space_is_refused():
    with pytest.raises(SettingsError, match=r"weights\.magnitude is not available if space"):
        build_settings(GANomalySettings, {"weights": {"magnitude": 1.0}})
    with pytest.raises(SettingsError, match="pca works on pixels only"):
        build_settings(METHODS["pca"].settings_type, {"space": "features"})


@pytest.mark.parametrize(
    ("method", "values", "named"),
    [
        (
            "ganomaly",
            {"space": "features", "view": {"size": 32}},
            ["view.size has no effect", "space = features", "seed, image, training"],
        ),
        (
            "ganomaly",
            {"space": "features", "image": {"max_side": 512}},
            ["image.max_side", "(used: image.channels, image.lighting, image.lighting_radius)"],
        ),
        (
            "ganomaly",
            {"space": "features", "network": {"bottleneck": "map"}},
            ["network.bottleneck", "(used: network.features, network.latent_dim)"],
        ),
        ("egbad", {"backbone": {"name": "lite0"}}, ["backbone.name", "space = pixels"]),
        ("egbad", {"training": {"hard_share": 0.5}}, ["training.hard_share", "training.steps"]),
        ("pca", {"training": {"steps": 5}}, ["pca", "training.steps", "components"]),
        ("coreset", {"view": {"size": 32}}, ["coreset", "view.size", "candidates"]),
    ],
)
def test_a_key_without_effect_is_refused_with_those_that_have_one(method, values, named):
    kind = METHODS[method].settings_type
    with pytest.raises(SettingsError) as caught:
        build_settings(kind, values, "my.toml")
    for part in ["my.toml", *named]:
        assert part in str(caught.value)
    assert build_settings(kind, without_idle(kind, values))


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_key_that_is_called_idle_exists(name):
    kind = METHODS[name].settings_type
    for key in frozenset().union(*kind.idle.values()):
        section, _, inner = key.partition(".")
        assert section in kind.model_fields
        assert not inner or inner in kind.model_fields[section].annotation.model_fields


@pytest.mark.parametrize("space", ["pixels", "features"])
def test_all_settings_that_a_model_stores_are_taken_again(space):
    settings = build_settings(GANomalySettings, {"space": space})
    stored = settings.model_dump(mode="json")
    assert build_settings(GANomalySettings, without_idle(GANomalySettings, stored)) == settings
