import pickle
import sys

import pytest

from anomgan import GANomaly, load
from anomgan.detectors.exported import SEAL, seal
from anomgan.detectors.exporter import export_model
from anomgan.errors import ModelError, SettingsError


@pytest.fixture(scope="module")
def exported(models, tmp_path_factory):
    """A file in TorchScript, whose export takes a second."""
    path = tmp_path_factory.mktemp("exported") / "part.pt"
    export_model(models("ganomaly"), path, "torchscript")
    return path


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, 1.0])
def test_a_flipped_bit_anywhere_is_found(exported, tmp_path, place):
    data = bytearray(exported.read_bytes())
    data[round(place * (len(data) - 1))] ^= 1
    (tmp_path / "part.pt").write_bytes(data)
    with pytest.raises(ModelError, match="part.pt is damaged"):
        load(tmp_path / "part.pt")


@pytest.mark.parametrize("suffix", [".pt", ".onnx"])
@pytest.mark.parametrize("content", [b"", b"PK", b"somebody else's" * 50])
def test_files_of_others_are_refused(tmp_path, suffix, content):
    path = tmp_path / f"theirs{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="theirs.*not written by anomgan export"):
        load(path)


def test_a_shortened_file_is_refused(exported, tmp_path):
    (tmp_path / "part.pt").write_bytes(exported.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged"):
        load(tmp_path / "part.pt")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match="there is no file .*part.onnx; make one"):
        load(tmp_path / "part.onnx")


def test_a_missing_onnxruntime_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "part.onnx").write_bytes(seal(bytes(100 + SEAL)))
    for engine in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, engine, None)
    with pytest.raises(ModelError, match=r'pip install "anomgan\[onnx\]"'):
        load(tmp_path / "part.onnx")


def test_the_wrong_suffix_is_explained(exported, tmp_path):
    pytest.importorskip("onnxruntime", reason="reads .onnx files")
    (tmp_path / "part.onnx").write_bytes(exported.read_bytes())
    with pytest.raises(ModelError, match="cannot load .*part.onnx"):
        load(tmp_path / "part.onnx")


def test_another_device_is_refused(exported):
    with pytest.raises(SettingsError, match="unknown device .abacus"):
        load(exported, "abacus")


def test_a_pickle_reads_the_file_again_wherever_it_is_opened(
    exported, images, tmp_path, monkeypatch
):
    monkeypatch.chdir(exported.parent)
    data = pickle.dumps(load(exported.name, "cpu"))
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(data)
    image = images[1][0]
    assert again.score(image).score == load(exported, "cpu").score(image).score


def test_it_only_scores(exported, images, tmp_path):
    detector = load(exported)
    for learn in (detector.fit, detector.recalibrate):
        with pytest.raises(ModelError, match="part.pt only scores"):
            learn(images[0])
    with pytest.raises(ModelError, match="part.pt only scores"):
        detector.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_file_in_feature_space_shows_regions_at_the_size_of_the_image(images, tmp_path):
    """Its graph gives a value for each cell of 16 pixels."""
    settings = {
        "space": "features",
        "backbone": {"long_side": 96, "directions": 8},
        "training": {"steps": 2, "batch_size": 8},
        "network": {"features": 8},
        "calibration": {"minimum": 6},
    }
    zero = images[0][0]
    native = GANomaly(device="cpu", **settings).fit(images[0])
    native.save(tmp_path / "model")
    export_model(tmp_path / "model", tmp_path / "part.pt", "torchscript")
    result, expected = load(tmp_path / "part.pt").score(zero), native.score(zero)
    assert result.heat.shape == (6, 6) and result.heatmap.shape == zero.shape
    assert result.reconstruction is None
    assert result.score == pytest.approx(expected.score, rel=1e-3, abs=1e-3)
    assert result.threshold == expected.threshold and result.regions == expected.regions
