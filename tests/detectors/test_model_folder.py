import hashlib
import json
import os
import pickle
import shutil
import struct
from contextlib import suppress
from copy import deepcopy

import numpy as np
import pytest
import torch
from conftest import TINY
from safetensors.torch import load_file, save
from torch import nn

from anomgan import GANomaly, load, model_files
from anomgan.cli.info import model_card
from anomgan.config_values import build_settings, without_idle
from anomgan.data.folders import list_images
from anomgan.detectors.earlier import current_settings
from anomgan.detectors.ganomaly import GANomalySettings
from anomgan.errors import InputError, ModelError
from anomgan.model_files import card_checksum, read_file


@pytest.fixture(scope="module")
def fitted(line):
    return GANomaly(device="cpu", **TINY).fit(line / "train" / "good")


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    fitted.save(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


def test_a_loaded_model_gives_the_same_results(fitted, folder, line):
    loaded = load(folder, device="cpu")
    for path in list_images(line / "test")[:4]:
        one, two = fitted.score(path), loaded.score(path)
        assert one.score == two.score and one.p_value == two.p_value
        assert np.array_equal(one.heatmap, two.heatmap)


def test_a_model_folder_holds_what_people_need_and_no_pickle(folder):
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "model.json",
        "weights.safetensors",
        "history.csv",
        "samples.png",
        "calibration.png",
    }


def test_an_existing_model_is_replaced_and_other_folders_are_not(fitted, folder, tmp_path):
    fitted.save(folder)
    assert load(folder, device="cpu").fitted.facts["images"] == 24
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_text("")
    with pytest.raises(InputError, match="holds files but no model"):
        fitted.save(tmp_path / "photos")
    with pytest.raises(InputError, match="is a file"):
        fitted.save(tmp_path / "photos" / "a.png")


@pytest.fixture
def small_files():
    """Files cannot grow past 10 kB, as on a disk that is about to be full."""
    resource = pytest.importorskip("resource", reason="file size limits need a Unix system")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_current_folder_is_not_replaced_under_the_users_feet(fitted, folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match=r"\. is the current folder"):
        fitted.save(".")
    assert load(".", device="cpu").fitted is not None


def test_a_write_that_fails_half_way_keeps_the_old_model(fitted, folder, tmp_path, small_files):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match="cannot write"):
        fitted.save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        load(folder)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_flipped_byte_is_refused_or_changes_nothing(folder, line, rng, name):
    image = list_images(line / "test")[0]
    expected = load(folder, device="cpu").score(image).score
    path = folder / name
    whole = path.read_bytes()
    refused = 0
    for at in rng.integers(len(whole), size=30):
        flipped = bytearray(whole)
        flipped[at] ^= int(rng.integers(1, 256))
        path.write_bytes(flipped)
        try:
            assert load(folder, device="cpu").score(image).score == expected
        except ModelError as error:
            assert str(folder) in str(error)
            refused += 1
    assert refused > 20


def test_a_changed_threshold_is_found_and_an_old_card_has_no_checksum(folder):
    card = read_card(folder)
    card["calibration"]["scores"][0] -= 1
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="model.json was changed"):
        load(folder)
    del card["card_sha256"]
    (folder / "model.json").write_text(json.dumps(card))
    assert load(folder, device="cpu").fitted.facts["images"] == 24


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', "{}", '{"format_version": 1}'])
def test_a_damaged_description_is_named(folder, content):
    (folder / "model.json").write_text(content)
    with pytest.raises(ModelError, match="model.json|weights.safetensors"):
        load(folder)


def seal(folder, card):
    """Write a card with the checksums that its content and the weights have, as an attacker can."""
    weights = (folder / "weights.safetensors").read_bytes()
    card["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    card["card_sha256"] = card_checksum(card)
    (folder / "model.json").write_text(json.dumps(card))


def change(folder, **values):
    seal(folder, read_card(folder) | values)


def read_card(folder):
    return json.loads((folder / "model.json").read_text())


def test_newer_formats_and_unknown_detectors_are_refused(folder):
    change(folder, format_version=3)
    with pytest.raises(ModelError, match="format 3.*reads 1 and 2"):
        load(folder)
    change(folder, format_version=1, detector="oracle")
    with pytest.raises(ModelError, match="oracle model.*ganomaly"):
        load(folder)


def test_a_model_of_a_detector_that_is_gone_says_what_to_do(folder):
    card = read_card(folder)
    card["settings"] = {"detector": "restoration", "view": {"scales": 2}}
    seal(folder, card | {"detector": "restoration"})
    for read in (load, model_card):
        with pytest.raises(ModelError, match="restoration, which has been removed; fit again"):
            read(folder)


@pytest.mark.parametrize(
    "values", [{"space": [1]}, {"space": "time"}, {"calibration": 5}, {"score": 5}]
)
def test_settings_that_cannot_be_never_crash_a_reader(folder, values):
    card = read_card(folder)
    seal(folder, card | {"settings": card["settings"] | values})
    for read in (load, model_card):
        with suppress(ModelError):
            read(folder)


def test_settings_of_earlier_versions_are_dropped_or_refused(fitted, folder):
    card = read_card(folder)
    card["settings"]["training"]["accumulate"] = 4
    card["settings"]["view"] |= {"scales": 1, "flip_vertical": True}
    seal(folder, card)
    assert load(folder, device="cpu").settings == fitted.settings
    card["settings"]["view"]["scales"] = 3
    seal(folder, card)
    with pytest.raises(ModelError, match=r"fitted with view.scales = 3, .*; fit again"):
        load(folder)


def test_an_earlier_model_scores_without_a_setting_that_it_did_not_know():
    settings = build_settings(GANomalySettings, {"space": "features"})
    card = {"detector": "ganomaly", "settings": settings.model_dump()}
    known = current_settings(card, "model")
    assert build_settings(GANomalySettings, without_idle(GANomalySettings, known)) == settings
    del card["settings"]["calibration"]["method"]
    known = current_settings(card, "model")
    earlier = build_settings(GANomalySettings, without_idle(GANomalySettings, known))
    methods = earlier.calibration.method, settings.calibration.method
    assert methods == ("held-out", "folds")


def test_weights_that_do_not_fit_the_settings_are_refused(folder):
    card = read_card(folder)
    card["settings"]["network"]["features"] = 16
    seal(folder, card)
    with pytest.raises(ModelError, match="does not fit the settings"):
        load(folder)


def test_a_missing_model_says_how_to_make_one(tmp_path):
    with pytest.raises(ModelError, match="anomgan fit"):
        load(tmp_path / "none")


def test_a_copied_model_works(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere" / "copy")
    assert load(tmp_path / "elsewhere" / "copy", device="cpu").fitted is not None


def test_a_model_that_is_replaced_while_it_is_read_is_read_anew(fitted, folder, monkeypatch):
    def replace_after(path, limit):
        content = read_file(path, limit)
        if path.name == "model.json" and not json.loads(content)["settings"]["seed"]:
            other.save(folder)
        return content

    other = GANomaly(device="cpu", **TINY, seed=1)
    other.networks, other.fitted = deepcopy(fitted.networks), fitted.fitted
    nn.init.zeros_(next(other.networks.parameters()))  # another model has other weights
    monkeypatch.setattr(model_files, "read_file", replace_after)
    assert load(folder, device="cpu").settings.seed == 1


def test_a_link_to_a_model_stays_and_the_model_is_replaced(fitted, folder, tmp_path):
    link = tmp_path / "current"
    link.symlink_to(folder)
    before = read_card(folder)
    for _ in range(2):
        fitted.save(link)
    assert link.is_symlink() and load(link, device="cpu").fitted is not None
    assert (folder / "model.json").exists() and read_card(folder).keys() == before.keys()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "model"]


def test_an_earlier_model_that_holds_its_discriminator_scores_the_same(folder, line):
    path = list_images(line / "test")[0]
    before = load(folder, device="cpu").score(path)
    tensors = load_file(folder / "weights.safetensors")
    assert not any("discriminator" in name for name in tensors)
    tensors["networks/discriminator.head.bias"] = torch.zeros(1)
    (folder / "weights.safetensors").write_bytes(save(tensors))
    seal(folder, read_card(folder))
    assert load(folder, device="cpu").score(path).score == before.score


HOSTILE = [
    ("settings.network.features", 10**9, "features"),
    ("settings.network.features", 1024, "does not fit"),  # 100 GB of weights
    ("settings.network.latent_dim", 10**9, "latent_dim"),
    ("settings.view.size", 50, "view.size"),
    ("settings.device", "cpu", "device"),
    ("settings", [1], "damaged"),
    ("preparation.channels", 10**9, "preparation.channels"),
    ("preparation.bits", 10**9, "preparation.bits"),
    ("preparation.size", 10**9, "preparation.size"),
    ("preparation.scale", 1e9, "preparation.scale"),
    ("preparation.lighting_radius", 1e9, "preparation.lighting_radius"),
    ("calibration.scores", [], "one length"),
    ("calibration.scores", [[1.0]] * 6, "one length"),
    ("calibration.heat", [3.0, 1.0, 2.0, 4.0, 5.0, 6.0], "ascend"),
    ("calibration.score_weights", [1e308] * 6, "weights"),
    ("calibration.false_alarm_rate", 0, "rates"),
    ("training.seconds", "long", "training.seconds"),
    ("detector", ["ganomaly"], "holds a"),
    ("detector", "../../ganomaly", "holds a"),
]


@pytest.mark.parametrize(("key", "value", "message"), HOSTILE)
def test_a_hostile_card_with_true_checksums_is_refused(folder, key, value, message):
    card = read_card(folder)
    *sections, name = key.split(".")
    place = card
    for section in sections:
        place = place[section]
    place[name] = value
    seal(folder, card)
    with pytest.raises(ModelError, match=message):
        load(folder, device="cpu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format_version": 1, "card": 1e400}', "1e400 is no finite number"),
        ('{"format_version": NaN}', "NaN is no finite number"),
        ("[" * 100_000, "recursion"),
        ('{"format_version": ' + "9" * 5000 + "}", "not the description"),
    ],
)
def test_wild_json_is_refused(folder, text, message):
    (folder / "model.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        load(folder)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_what_is_no_safetensors_is_refused_and_not_executed(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ten_gigabytes = struct.pack("<Q", 10 * 2**30) + b"{}"
    for content in (pickle.dumps(Trap()), ten_gigabytes, b""):
        (folder / "weights.safetensors").write_bytes(content)
        seal(folder, read_card(folder))
        with pytest.raises(ModelError, match="weights.safetensors is damaged"):
            load(folder)
    assert not (tmp_path / "executed").exists()


def test_weights_that_are_no_numbers_are_refused(folder):
    tensors = load_file(folder / "weights.safetensors")
    name = next(name for name in tensors if name.endswith("weight"))
    tensors[name].view(-1)[0] = torch.nan
    (folder / "weights.safetensors").write_bytes(save(tensors))
    seal(folder, read_card(folder))
    with pytest.raises(ModelError, match=f"{name} holds values that are not finite"):
        load(folder)


@pytest.mark.parametrize("left", [None, torch.zeros(3), torch.zeros(96, 96)])
def test_statistics_that_cannot_be_used_are_refused(folder, left):
    tensors = load_file(folder / "weights.safetensors")
    del tensors["statistics/0/residual.deviation"]
    if left is not None:
        tensors["statistics/0/residual.deviation"] = left
    (folder / "weights.safetensors").write_bytes(save(tensors))
    seal(folder, read_card(folder))
    with pytest.raises(ModelError, match="no usable statistics of residual"):
        load(folder, device="cpu")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_files_without_an_end_are_refused(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ModelError, match=f"{name} is no file"):
        load(folder)
    (folder / name).unlink()
    with (folder / name).open("wb") as file:
        file.truncate(10 * 2**30)  # takes no room on the disk
    with pytest.raises(ModelError, match=f"{name} has 10,737,418,240 bytes"):
        load(folder)
