import json
import shutil

import numpy as np
import pytest

from anomgan import GANomaly, load
from anomgan.data.folders import list_images
from anomgan.errors import InputError, ModelError
from conftest import TINY


@pytest.fixture(scope="module")
def fitted(line):
    return GANomaly(device="cpu", **TINY).fit(line / "train" / "good")


@pytest.fixture
def folder(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    return tmp_path / "model"


def test_a_loaded_model_gives_the_same_results(fitted, folder, line):
    loaded = load(folder, device="cpu")
    for path in list_images(line / "test")[:4]:
        one, two = fitted.score(path), loaded.score(path)
        assert one.score == two.score and one.p_value == two.p_value
        assert np.array_equal(one.heatmap, two.heatmap)


def test_a_model_folder_holds_what_people_need_and_no_pickle(folder):
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "model.json", "weights.safetensors", "history.csv", "samples.png", "calibration.png",
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


def test_a_flipped_byte_is_found_by_checksum(folder):
    path = folder / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="weights.safetensors is damaged"):
        load(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', "{}", '{"format_version": 1}'])
def test_a_damaged_description_is_named(folder, content):
    (folder / "model.json").write_text(content)
    with pytest.raises(ModelError, match="model.json|weights.safetensors"):
        load(folder)


def change(folder, **values):
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(card | values))


def test_newer_formats_and_unknown_detectors_are_refused(folder):
    change(folder, format_version=2)
    with pytest.raises(ModelError, match="format 2.*reads 1"):
        load(folder)
    change(folder, format_version=1, detector="oracle")
    with pytest.raises(ModelError, match="oracle model.*ganomaly"):
        load(folder)


def test_weights_that_do_not_fit_the_settings_are_refused(folder):
    card = json.loads((folder / "model.json").read_text())
    card["settings"]["network"]["features"] = 16
    change(folder, settings=card["settings"])
    with pytest.raises(ModelError, match="does not fit the settings"):
        load(folder)


def test_a_missing_model_says_how_to_make_one(tmp_path):
    with pytest.raises(ModelError, match="anomgan fit"):
        load(tmp_path / "none")


def test_a_copied_model_works(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere" / "copy")
    assert load(tmp_path / "elsewhere" / "copy", device="cpu").fitted is not None
